import { parseArgs } from "node:util";
import { runDemo } from "./demo.ts";
import { verdictText } from "./report.ts";
import { type Sabotage, sabotages } from "./sabotage.ts";

const usage = `npm run demo -- [--break ${sabotages.join("|")}]`;

/** Exit codes: 0 all checks passed, 1 something differs or went wrong, 2 wrong usage. */
async function main(): Promise<number> {
  const sabotage = readArguments();
  if (sabotage === "usage") {
    console.error(usage);
    return 2;
  }
  const startedAt = performance.now();
  let closeBox = async (): Promise<void> => undefined;
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => void closeBox().finally(() => process.exit(130)));
  }
  try {
    const findings = await runDemo({
      sabotage,
      say: (text) => console.log(`${elapsed(startedAt).padStart(4)} s  ${text}`),
      onBox: (close) => {
        closeBox = close;
      },
    });
    const wrong = findings.filter(({ faults }) => faults.length > 0).length;
    console.log(`\n${verdictText(findings, process.stdout.isTTY === true)}\n`);
    const verdict =
      wrong === 0 ? `All ${findings.length} checks passed` : `${wrong} of ${findings.length} checks failed`;
    console.log(`${verdict}, after ${elapsed(startedAt)} s.`);
    return wrong === 0 ? 0 : 1;
  } catch (error) {
    console.error(error);
    return 1;
  }
}

function elapsed(startedAt: number): string {
  return ((performance.now() - startedAt) / 1_000).toFixed(0);
}

function readArguments(): Sabotage | undefined | "usage" {
  try {
    const { values } = parseArgs({ options: { break: { type: "string" } } });
    if (values.break === undefined) return undefined;
    return sabotages.find((one) => one === values.break) ?? "usage";
  } catch {
    return "usage";
  }
}

process.exitCode = await main();
