import type { Box, HubResult } from "./box.ts";
import type { Finding } from "./judge.ts";

/** What the operator's own checks say: each is one `hub` command. */
export async function operatorFindings(box: Box): Promise<readonly Finding[]> {
  const [fold, chain] = await Promise.all([
    box.hub("digest", "--fold", "--json"),
    box.hub("events", "verify", "--json"),
  ]);
  const rebuild = await box.hub("projections", "rebuild", "--json");
  const replayed = await box.hub("digest", "--fold", "--json");
  const before = digestOf(fold);
  const after = digestOf(replayed);
  return [
    { check: "the tables are the fold of the log", looked: rowsText(before), faults: failuresOf(fold) },
    { check: "the chain of hashes is whole", looked: commitsText(chain), faults: failuresOf(chain) },
    {
      check: "dropped and replayed, the tables are the same",
      looked: rowsText(after),
      faults: [
        ...failuresOf(rebuild, replayed),
        // What the box does by itself may have moved the log on meanwhile; then the fold alone tells.
        ...(before?.digest === after?.digest || isLater(before, after)
          ? []
          : [`the digest was ${before?.digest}, is ${after?.digest}`]),
      ],
    },
  ];
}

/** Of what `hub digest --json` prints. */
interface Digest {
  readonly digest: string;
  readonly tables: readonly { readonly rows: number }[];
  readonly positions: readonly { readonly lane: string; readonly n: number }[];
  readonly fold?: { readonly same: boolean; readonly difference?: object };
}

function isLater(before: Digest | undefined, after: Digest | undefined): boolean {
  const was = new Map(before?.positions.map(({ lane, n }) => [lane, n]));
  return after?.positions.some(({ lane, n }) => n > (was.get(lane) ?? n)) ?? false;
}

function digestOf({ stdout }: HubResult): Digest | undefined {
  return stdout.startsWith("{") ? JSON.parse(stdout) : undefined;
}

function rowsText(digest: Digest | undefined): string {
  if (digest === undefined) return "hub digest";
  return `${digest.tables.reduce((sum, { rows }) => sum + rows, 0)} rows in ${digest.tables.length} tables`;
}

function commitsText({ stdout }: HubResult): string {
  if (!stdout.startsWith("[")) return "hub events verify";
  const lanes: readonly { readonly commits: number }[] = JSON.parse(stdout);
  return `${lanes.reduce((sum, { commits }) => sum + commits, 0)} commits in ${lanes.length} lanes`;
}

function failuresOf(...results: readonly HubResult[]): readonly string[] {
  return results.flatMap((result) => {
    if (result.code === 0) return [];
    const difference = digestOf(result)?.fold?.difference;
    if (difference !== undefined) return [`first difference: ${JSON.stringify(difference)}`];
    return [`exit code ${result.code}: ${result.stderr || result.stdout}`];
  });
}
