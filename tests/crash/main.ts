import { randomBytes } from "node:crypto";
import { parseArgs } from "node:util";
import { runCrash } from "./crash.ts";
import { tableFaults, tableText } from "./table.ts";

const usage = "npm run test:crash -- [--rounds 20] [--seed TEXT]";
const shownFaults = 20;

/** Exit codes: 0 nothing is lost or wrong, 1 something is, or a failpoint was never hit, 2 wrong usage. */
async function main(): Promise<number> {
  const options = readArguments();
  if (options === undefined) {
    console.error(usage);
    return 2;
  }
  let close = async (): Promise<void> => undefined;
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => void close().finally(() => process.exit(130)));
  }
  const startedAt = performance.now();
  const onBox = (end: () => Promise<void>) => {
    close = end;
  };
  const { rows, faults } = await runCrash({ ...options, say: (text) => console.log(text), onBox });
  const all = [...tableFaults(rows), ...faults];
  console.log(`\n${tableText(rows)}\n`);
  for (const fault of all.slice(0, shownFaults)) console.log(`  ${fault}`);
  const seconds = ((performance.now() - startedAt) / 1_000).toFixed(0);
  console.log(`${all.length === 0 ? "Nothing is lost or wrong" : `${all.length} faults`}, after ${seconds} s.`);
  return all.length === 0 ? 0 : 1;
}

function readArguments(): { readonly rounds: number; readonly seed: string } | undefined {
  try {
    const { values } = parseArgs({ options: { rounds: { type: "string" }, seed: { type: "string" } } });
    const rounds = Number(values.rounds ?? 20);
    if (!Number.isInteger(rounds) || rounds < 1) return undefined;
    return { rounds, seed: values.seed ?? randomBytes(4).toString("hex") };
  } catch {
    return undefined;
  }
}

process.exitCode = await main();
