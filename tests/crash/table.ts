/** What the strikes at one step showed. */
export interface Row {
  readonly step: string;
  readonly kills: number;
  readonly lost: number;
  readonly wrong: number;
}

/** The table for people: a line for each step, and their sum. */
export function tableText(rows: readonly Row[]): string {
  const sum = (pick: (row: Row) => number) => rows.reduce((total, row) => total + pick(row), 0);
  const total = {
    step: "all",
    kills: sum((row) => row.kills),
    lost: sum((row) => row.lost),
    wrong: sum((row) => row.wrong),
  };
  const width = Math.max(...rows.map(({ step }) => step.length));
  const line = (step: string, ...cells: readonly (string | number)[]) =>
    `  ${step.padEnd(width)}${cells.map((cell) => String(cell).padStart(8)).join("")}`;
  return [
    line("failpoint", "kills", "lost", "wrong"),
    ...[...rows, total].map(({ step, kills, lost, wrong }) => line(step, kills, lost, wrong)),
  ].join("\n");
}

/** What is wrong with the table itself, one text each; none is good. */
export function tableFaults(rows: readonly Row[]): readonly string[] {
  return rows.flatMap(({ step, kills, lost, wrong }) => [
    ...(kills === 0 ? [`nothing was killed at ${step}`] : []),
    ...(lost > 0 ? [`${lost} lost at ${step}`] : []),
    ...(wrong > 0 ? [`${wrong} wrong at ${step}`] : []),
  ]);
}
