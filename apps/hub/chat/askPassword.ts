import { createInterface } from "node:readline";
import { Writable } from "node:stream";

/** No password was given, and there is no terminal to ask on. */
class PasswordMissing extends Error {
  override readonly name = "PasswordMissing";
}

/** Asks for the password, which is not shown. Throws `PasswordMissing`. */
export async function askPassword(): Promise<string> {
  if (process.stdin.isTTY !== true)
    throw new PasswordMissing("No password: set HUB_CHAT_PASSWORD, or run this on a terminal to be asked for it.");
  const unseen = new Writable({ write: (_chunk, _encoding, done) => done() });
  const terminal = createInterface({ input: process.stdin, output: unseen, terminal: true });
  process.stderr.write("Password: ");
  try {
    return await new Promise<string>((resolve, reject) => {
      terminal.once("line", resolve);
      terminal.once("close", () => reject(new PasswordMissing("No password was typed.")));
    });
  } finally {
    terminal.close();
    process.stderr.write("\n");
  }
}
