import { parseArgs } from "node:util";
import { type DemoOptions, runDemo } from "./demo.ts";
import { verdictText } from "./report.ts";
import { sabotages } from "./sabotage.ts";

const usage = `npm run demo -- [--break ${sabotages.join("|")}] [--backup FOLDER]`;

/** Exit codes: 0 all checks passed, 1 something differs or went wrong, 2 wrong usage. */
async function main(): Promise<number> {
  const asked = readArguments();
  if (asked === undefined) {
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
      ...asked,
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

function readArguments(): Pick<DemoOptions, "sabotage" | "backup"> | undefined {
  try {
    const { values } = parseArgs({ options: { break: { type: "string" }, backup: { type: "string" } } });
    const sabotage = sabotages.find((one) => one === values.break);
    return values.break !== undefined && sabotage === undefined ? undefined : { sabotage, backup: values.backup };
  } catch {
    return undefined;
  }
}

process.exitCode = await main();
