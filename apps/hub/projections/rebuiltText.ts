import type { RebuiltTables } from "./rebuildTables.ts";

/** What came of a rebuild, for people, with the next step. */
export function rebuiltText(all: readonly RebuiltTables[], tookSeconds: number): string {
  const commits = all.reduce((sum, one) => sum + one.commits, 0);
  const lines = [`${commits} commits were replayed in ${tookSeconds.toFixed(1)} s.`, ...all.flatMap(linesOf)];
  if (all.some(({ outcome }) => outcome === "swapped")) {
    lines.push(
      "Go back by: npm run hub -- projections rollback. Free the disk of what is kept by: npm run hub -- projections drop",
    );
  }
  return lines.join("\n");
}

function linesOf(one: RebuiltTables): string[] {
  const { projection, generation, outcome, comparison } = one;
  const names = `Generation ${generation} of the ${projection}`;
  const rows = comparison?.tables.reduce((sum, table) => sum + table.rows, 0);
  const compared = comparison === null ? "not compared" : `${comparison.tables.length} tables compared, ${rows} rows`;
  switch (outcome) {
    case "swapped":
      return [`${names} is served now (${compared}); the former one is kept.`];
    case "built":
      return [`${names} is filled (${compared}). Serve it by: npm run hub -- projections swap ${projection}`];
    case "halted":
      return [
        `${names} has HALTED. ${one.halted}`,
        `Put that right and go on by: npm run hub -- projections rebuild ${projection}. Give it up by: npm run hub -- projections cancel ${projection}`,
      ];
    case "interrupted":
      return [
        `${names} goes on being filled. Watch it: npm run hub -- projections progress ${projection}. Go on by: npm run hub -- projections rebuild ${projection}. Give it up by: npm run hub -- projections cancel ${projection}`,
      ];
    case "differs":
      return differenceLines(one);
  }
}

function differenceLines({ projection, generation, comparison }: RebuiltTables): string[] {
  if (comparison?.difference == null) return [];
  const { table, key, served, rebuilt } = comparison.difference;
  return [
    `Generation ${generation} of the ${projection} is NOT what is served, and was not swapped. First difference: ${table}, key ${key}`,
    `  served:  ${JSON.stringify(served)}`,
    `  rebuilt: ${JSON.stringify(rebuilt)}`,
    `Both are at one position of the log; npm run hub -- digest --fold says whether the served ones are its fold. Serve the new ones by: npm run hub -- projections swap ${projection}. Give them up by: npm run hub -- projections cancel ${projection}`,
  ];
}
