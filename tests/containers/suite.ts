import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** How a run of tests went. */
export interface Outcome {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

const checkout = fileURLToPath(new URL("../..", import.meta.url));

/** How to run it: what stands beside this process's environment, and a folder for its report. */
export interface SuiteOptions {
  readonly env: { readonly [variable: string]: string };
  readonly folder: string;
  readonly signal: AbortSignal;
}

/** Runs the integration tests, or those that `filters` name. */
export async function runSuite(filters: readonly string[], { env, folder, signal }: SuiteOptions): Promise<Outcome> {
  const report = join(folder, "report.json");
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
  const args = [join(checkout, "node_modules/vitest/vitest.mjs"), "run", "--project", "int", ...reporters, ...filters];
  await new Promise<void>((resolve, reject) => {
    const child = spawn(process.execPath, args, { cwd: checkout, env: { ...process.env, ...env }, stdio: "inherit" });
    // vitest stops what its tests started before it ends.
    signal.addEventListener("abort", () => child.kill("SIGTERM"));
    child.once("error", reject);
    child.once("close", () => resolve());
  });
  return readReport(report);
}

interface Report {
  readonly numPassedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly testResults: readonly {
    readonly status: string;
    readonly assertionResults: readonly { readonly status: string }[];
  }[];
  readonly numFailedTests: number;
}

function readReport(path: string): Outcome {
  let report: Report;
  try {
    report = JSON.parse(readFileSync(path, "utf8"));
  } catch {
    return { passed: 0, failed: 0, skipped: 0 };
  }
  // A file that could not be loaded has no test that failed.
  const broken = report.testResults.filter(
    ({ status, assertionResults }) => status === "failed" && !assertionResults.some((one) => one.status === "failed"),
  );
  return {
    passed: report.numPassedTests,
    failed: report.numFailedTests + broken.length,
    skipped: report.numPendingTests + report.numTodoTests,
  };
}
