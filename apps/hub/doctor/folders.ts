import { lstatSync, readdirSync, statfsSync } from "node:fs";
import { join } from "node:path";
import { readRestoreMarker } from "../backup/restoreMarker.ts";
import { inBytes } from "../inBytes.ts";
import { type Finding, fail, ok, warn } from "./finding.ts";

const gigabyte = 1024 ** 3;
const scarceBytes = 2 * gigabyte;
const emptyBytes = gigabyte / 4;

/** The rights of the data folder and of the secrets in it, a restore that broke off, and what its disk has free. Changes nothing. */
export function examineFolders(dataDir: string): readonly Finding[] {
  const secrets = join(dataDir, "secrets");
  // As root, PostgreSQL's account must pass through the data folder.
  const passThrough = process.getuid?.() === 0 ? 0o011 : 0;
  const findings = [rightsOf("data folder", dataDir, 0o700 | passThrough)];
  if (findings.some(({ state }) => state === "fail")) return findings;
  findings.push(rightsOf("secrets", secrets, 0o700), rightsOf("run folder", join(dataDir, "run"), 0o700));
  if (lstatSync(secrets, { throwIfNoEntry: false })?.isDirectory() === true) {
    const open = readdirSync(secrets).map((name) => rightsOf(`secrets/${name}`, join(secrets, name), 0o600));
    findings.push(...open.filter(({ state }) => state !== "ok"));
  }
  const marker = readRestoreMarker(dataDir);
  if (marker !== undefined) {
    const says = `one that was begun at ${marker.startedAt} was not finished: nothing is served`;
    findings.push(fail("restore", says, `npm run hub -- restore --yes ${marker.backup}`));
  }
  return [...findings, freeOn(dataDir)];
}

function rightsOf(check: string, path: string, allowed: number): Finding {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return fail(check, `${path} is missing`, "Start the box: npm run hub -- up");
  const mode = found.mode & 0o777;
  const should = allowed.toString(8);
  if ((mode & ~allowed) !== 0) {
    return fail(check, `${path} has mode ${mode.toString(8)}: others may use it`, `chmod ${should} ${path}`);
  }
  const own = process.getuid?.();
  if (own !== undefined && own !== 0 && found.uid !== own) {
    return fail(check, `${path} belongs to user ${found.uid}, not to ${own}`, `chown ${own} ${path}`);
  }
  return ok(check, `${path} (${mode.toString(8)})`);
}

function freeOn(path: string): Finding {
  const { bavail, bsize } = statfsSync(path);
  const free = bavail * bsize;
  const says = `${inBytes(free)} free`;
  if (free < emptyBytes) return fail("disk", says, "Free space now: without it the log and the databases stop.");
  if (free < scarceBytes) return warn("disk", says, "Free space, or add nodes for files: npm run hub -- node add");
  return ok("disk", says);
}
