import { execFile } from "node:child_process";

/** Runs a command to its end and gives what it printed. Rejects with the end of its output when it fails. */
export function output(
  command: string,
  args: readonly string[],
  options: { readonly env?: NodeJS.ProcessEnv } = {},
): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(command, args, { ...options, maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) => {
      if (error === null) return resolve(stdout);
      const said = `${stdout}\n${stderr}`.trim().slice(-2_000);
      reject(new Error(`${command} ${args[0] ?? ""} failed: ${said === "" ? error.message : said}`, { cause: error }));
    });
  });
}
