import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";

/** The folder that holds the whole project. */
export const root = fileURLToPath(new URL("../..", import.meta.url));

/** How a program ended, and all that it printed. */
export interface Outcome {
  readonly code: number;
  readonly output: string;
}

/** Runs a program in `folder`, free of what vitest and npm told this process, with `added` in its place. Never rejects. */
export function runIn(
  folder: string,
  program: string,
  args: readonly string[],
  added: Readonly<Record<string, string>> = {},
): Promise<Outcome> {
  const inherited = Object.entries(process.env).filter(
    ([name]) => !/^(VITEST|npm_|NODE_ENV$|TEST$|DEV$|PROD$)/.test(name),
  );
  const env = { ...Object.fromEntries(inherited), NO_COLOR: "1", FORCE_COLOR: "0", ...added };
  return new Promise((resolve) => {
    execFile(program, args, { cwd: folder, env, maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === "number" ? error.code : 1;
      resolve({ code, output: `${stdout}\n${stderr}` });
    });
  });
}
