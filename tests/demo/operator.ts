import type { Box, HubResult } from "./box.ts";
import type { Finding } from "./judge.ts";

/** What the operator's own checks say: each is one `hub` command. */
export async function operatorFindings(box: Box): Promise<readonly Finding[]> {
  const fold = await box.hub("digest", "--fold");
  const chain = await box.hub("events", "verify", "--json");
  const before = await box.hub("digest", "--json");
  const rebuild = await box.hub("projections", "rebuild");
  const after = await box.hub("digest", "--json");
  const replay = rebuild.code === 0 ? after : rebuild;
  return [
    { check: "the tables are the fold of the log", looked: "hub digest --fold", faults: failureOf(fold) },
    { check: "the chain of hashes is whole", looked: commitsIn(chain), faults: failureOf(chain) },
    {
      check: "dropped and replayed, the tables are the same",
      looked: "hub projections rebuild",
      faults: [...failureOf(replay), ...(before.stdout === after.stdout ? [] : ["the digests differ"])],
    },
  ];
}

function failureOf({ code, stdout, stderr }: HubResult): readonly string[] {
  return code === 0 ? [] : [`exit code ${code}: ${stderr || stdout}`];
}

function commitsIn({ code, stdout }: HubResult): string {
  if (code !== 0) return "hub events verify";
  const lanes: readonly { readonly commits: number }[] = JSON.parse(stdout);
  return `${lanes.reduce((sum, { commits }) => sum + commits, 0)} commits in ${lanes.length} lanes`;
}
