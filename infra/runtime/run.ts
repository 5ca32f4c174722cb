import { execFile } from "node:child_process";

/** Who runs a command, where, with what. */
export interface RunOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly uid?: number;
  readonly gid?: number;
  /** Written to its standard input. */
  readonly input?: string;
  /** Default 120 s. */
  readonly timeoutMs?: number;
}

/** Runs a short command to its end. Rejects, with its output in the message, when it fails or can't be started. */
export function run(
  command: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<{ readonly stdout: string; readonly stderr: string }> {
  const { input, timeoutMs = 120_000, env, ...rest } = options;
  return new Promise((resolve, reject) => {
    const child = execFile(
      command,
      args,
      { ...rest, env: env ?? process.env, timeout: timeoutMs, maxBuffer: 64 * 1024 * 1024, encoding: "utf8" },
      (error, stdout, stderr) => {
        if (error === null) return resolve({ stdout, stderr });
        const said = `${stdout}\n${stderr}`.trim().slice(-2_000);
        reject(
          new Error(`${command} ${args[0] ?? ""} failed: ${said === "" ? error.message : said}`, { cause: error }),
        );
      },
    );
    // A command that ends before it has read its input is judged by its exit code.
    child.stdin?.on("error", () => {});
    child.stdin?.end(input ?? "");
  });
}
