import { readFileSync } from "node:fs";
import { join } from "node:path";
import { checkout } from "@connect-hub/runtime";
import { nativeCrypto } from "@connect-hub/ssh";
import { examine, type Finding, fail, ok, warn } from "./finding.ts";

const installAgain = "Remove node_modules in the checkout and start again: npm start";

/** Whether this machine has what the hub runs on: Node and the native parts of its packages. */
export async function examineMachine(nodeVersion = process.versions.node): Promise<readonly Finding[]> {
  return [nodeFinding(nodeVersion), ...(await examine("uWebSockets.js", installAgain, uwsFinding)), sshFinding()];
}

function nodeFinding(version: string): Finding {
  const engines: { readonly engines: { readonly node: string } } = JSON.parse(
    readFileSync(join(checkout, "package.json"), "utf8"),
  );
  const oldest = engines.engines.node.replace(">=", "");
  if (isAtLeast(version, oldest)) return ok("Node", version);
  return fail("Node", `${version}, but ${oldest} is needed`, `Install Node ${oldest} or newer.`);
}

function isAtLeast(version: string, oldest: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const [oldestMajor = 0, oldestMinor = 0] = oldest.split(".").map(Number);
  return major > oldestMajor || (major === oldestMajor && minor >= oldestMinor);
}

function sshFinding(): Finding {
  if (nativeCrypto()) return ok("ssh", "the native ciphers work");
  const todo = "Install a C++ compiler, Python and make, then run: npm rebuild ssh2 && npm run postinstall";
  return warn("ssh", "no native ciphers: moving files to nodes takes several times the CPU", todo);
}

async function uwsFinding(): Promise<Finding> {
  // It throws when it is not the native one: some copies fall back to JavaScript and lose messages.
  // (Named, because an import of the whole face would hide from the check for dead code what nobody uses of it.)
  const { createServer } = await import("@connect-hub/uws");
  return typeof createServer === "function"
    ? ok("uWebSockets.js", "the native binding works")
    : fail("uWebSockets.js", "no native binding", "Install the packages anew: npm ci");
}
