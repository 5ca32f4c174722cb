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
      say: (text) => console.log(text),
      onBox: (close) => {
        closeBox = close;
      },
    });
    const wrong = findings.filter(({ faults }) => faults.length > 0).length;
    const seconds = ((performance.now() - startedAt) / 1_000).toFixed(0);
    console.log(`\n${verdictText(findings, process.stdout.isTTY === true)}\n`);
    console.log(wrong === 0 ? `All ${findings.length} checks passed in ${seconds} s.` : `${wrong} checks failed.`);
    return wrong === 0 ? 0 : 1;
  } catch (error) {
    console.error(error);
    return 1;
  }
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
