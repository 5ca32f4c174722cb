import { resolve } from "node:path";

/** A file or folder on the command line is meant from where it was typed; npm runs commands from the checkout. */
export function typed(path: string, env: NodeJS.ProcessEnv = process.env): string {
  return resolve(env.INIT_CWD ?? "", path);
}
