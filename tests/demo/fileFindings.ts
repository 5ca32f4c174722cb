import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import type { RunningSshd } from "@connect-hub/runtime";
import { HubError } from "@connect-hub/sdk";
import { filesIn } from "../support/boxNodes.ts";
import { type Download, downloadSurely } from "../support/fileDoor.ts";
import { forgottenFiles } from "../support/leftovers.ts";
import type { Box } from "./box.ts";
import type { Finding } from "./judge.ts";
import type { Brought, Library } from "./library.ts";
import { newKey } from "./newKey.ts";
import { nodeNames } from "./nodes.ts";
import type { Person } from "./people.ts";

/** What is known of the files when all is done. */
export interface FileEvidence {
  readonly box: Box;
  readonly nodes: readonly RunningSshd[];
  readonly library: Library;
  /** Those whose messages still stand. */
  readonly brought: readonly Brought[];
  readonly forwarded: readonly Forwarded[];
}

/** A file that was forwarded before its first message was deleted. */
export interface Forwarded {
  readonly original: Brought;
  /** The new record, in the branch. */
  readonly file: string;
}

const readers = 4;
const downloadMs = 20_000;
const rangeBytes = 70_000;
/** Each `hub` is a process that takes its time. */
const asked = 3;

/** Reads every file as somebody would who may, and as somebody who may not. */
export async function fileFindings(evidence: FileEvidence): Promise<readonly Finding[]> {
  const { box, brought, library } = evidence;
  const local = new Set(localHashes(box));
  const away = brought.filter(({ hash }) => !local.has(hash)).length;
  // Ranges first: a whole file that went by is in the cache again.
  const ranged = await inTurns(brought, (one) => rangeFault(evidence, one));
  const where = await whereFinding(evidence);
  const whole = await inTurns(brought, (one) => wholeFault(evidence, one, readerOf(evidence, one)));
  const megabytes = Math.round(brought.reduce((sum, { real }) => sum + real.size, 0) / 1024 ** 2);
  const outside = await inTurns(brought, (one) => outsiderFault(evidence, one));
  return [
    {
      check: "every file is as it was brought",
      looked: `${brought.length} files, ${megabytes} MiB, ${away} of them on nodes alone`,
      faults: [...whole, ...(away === 0 ? ["none of them was moved"] : [])],
    },
    { check: "a part of a file is that part", looked: `${brought.length} ranges`, faults: ranged },
    {
      check: "who is not in the room gets no file",
      looked: `${brought.length} files, asked for by ${library.outsider.name}`,
      faults: outside,
    },
    await forwardFinding(evidence),
    where,
    await leftoverFinding(evidence),
  ];
}

/** What the server's disk has, by its hash. */
export function localHashes(box: Box): readonly string[] {
  return filesIn(join(box.folder, "content/blobs")).map(({ name }) => name.slice(name.lastIndexOf("/") + 1));
}

/** Somebody who is in the room and is not who brought it. */
function readerOf({ library: { members } }: FileEvidence, { by }: Brought): Person {
  return members[(members.indexOf(by) + 1) % members.length] ?? by;
}

const doorOf = ({ box: { address } }: FileEvidence, { session: { token } }: Person) => ({ address, token });

async function wholeFault(
  evidence: FileEvidence,
  { file, real, hash }: Pick<Brought, "file" | "real" | "hash">,
  who: Person,
) {
  const got = await downloadSurely(doorOf(evidence, who), file, downloadMs).catch(faultOf);
  if (got instanceof Error) return `${real.path}: ${got}`;
  if (got.hash === hash && got.bytes === real.size) return undefined;
  return `${real.path} had ${real.size} bytes and came with ${got.bytes}, ${got.hash === hash ? "the same" : "others"}`;
}

async function rangeFault(evidence: FileEvidence, one: Brought): Promise<string | undefined> {
  const { file, real } = one;
  const from = Math.floor(real.size / 3);
  const range = { from, to: Math.min(real.size, from + rangeBytes) };
  if (real.size === 0) range.to = 1;
  const got = await downloadSurely(doorOf(evidence, readerOf(evidence, one)), file, downloadMs, range).catch(faultOf);
  if (real.size === 0) return isRefusedAs(got, "BadRange") ? undefined : `${real.path} is empty and has a part`;
  if (got instanceof Error) return `${real.path} from ${range.from} to ${range.to}: ${got}`;
  const wanted = createHash("sha256")
    .update(await bytesOf(real.path, range.from, range.to))
    .digest("hex");
  return got.hash === wanted ? undefined : `${real.path} from ${range.from} to ${range.to}: ${got.bytes} others`;
}

async function bytesOf(path: string, from: number, to: number): Promise<Uint8Array> {
  const file = await open(path);
  try {
    const bytes = new Uint8Array(to - from);
    await file.read(bytes, 0, bytes.length, from);
    return bytes;
  } finally {
    await file.close();
  }
}

/** It must look as if there were no such file. */
async function outsiderFault(evidence: FileEvidence, { file, real }: Brought): Promise<string | undefined> {
  const door = doorOf(evidence, evidence.library.outsider);
  const [got, missing] = await Promise.all(
    [file, newKey()].map((id) => downloadSurely(door, id, downloadMs).catch(faultOf)),
  );
  const isAsMissing = isRefusedAs(got, "FileNotFound") && isRefusedAs(missing, "FileNotFound");
  return isAsMissing ? undefined : `${real.path}: ${got instanceof Error ? got : "given away"}`;
}

function isRefusedAs(got: Download | Error | undefined, name: string): boolean {
  return got instanceof HubError && got.name === name;
}

async function forwardFinding(evidence: FileEvidence): Promise<Finding> {
  const { forwarded, library } = evidence;
  const faults = await inTurns(forwarded, async ({ original, file }) => {
    const copy = await wholeFault(evidence, { ...original, file }, library.outsider);
    if (copy !== undefined) return `forwarded: ${copy}`;
    const before = await downloadSurely(doorOf(evidence, original.by), original.file, downloadMs).catch(faultOf);
    return isRefusedAs(before, "FileNotFound")
      ? undefined
      : `${original.real.path} can still be read by its first record`;
  });
  return {
    check: "a forwarded file outlives its message",
    looked: `${forwarded.length} files whose first messages were deleted`,
    faults: forwarded.length === 0 ? ["none was forwarded"] : faults,
  };
}

/** Of what `hub files where --json` prints. */
interface Whereabouts {
  readonly blob: {
    readonly here: boolean;
    readonly replicas: readonly { readonly node: string; readonly name: string }[];
  };
}

/** Asks the operator's command where some files lie, and looks there. */
async function whereFinding({ box, nodes, brought }: FileEvidence): Promise<Finding> {
  const local = new Set(localHashes(box));
  const away = brought.filter(({ hash }) => !local.has(hash)).slice(0, asked);
  const faults = await inTurns(away, async ({ file, hash, real }) => {
    const { code, stdout, stderr } = await box.hub("files", "where", file, "--json");
    if (code !== 0) return `hub files where ${file} ended with ${code}: ${stderr}`;
    const { blob }: Whereabouts = JSON.parse(stdout);
    if (blob.replicas.length === 0) return `${real.path} lies nowhere`;
    const bad = blob.replicas.filter(({ node, name }) => {
      const folder = nodes[nodeNames.indexOf(node)]?.folder ?? "";
      return sha256Of(join(folder, "blobs", name)) !== hash;
    });
    return bad.length === 0 ? undefined : `${real.path} is not on ${bad.map(({ node }) => node).join(", ")}`;
  });
  return { check: "files lie where hub says", looked: `${away.length} files that nodes alone have`, faults };
}

/** The SHA-256 of a file, 64 hex digits; `undefined` when there is none. */
function sha256Of(path: string): string | undefined {
  return existsSync(path) ? createHash("sha256").update(readFileSync(path)).digest("hex") : undefined;
}

async function leftoverFinding({ box, nodes }: FileEvidence): Promise<Finding> {
  const folders = [join(box.folder, "content/tmp"), ...nodes.map(({ folder }) => join(folder, ".tmp"))];
  const looked = `the server and ${nodes.length} nodes`;
  return { check: "nothing half done is left", looked, faults: await forgottenFiles(folders) };
}

async function inTurns<T>(
  items: readonly T[],
  look: (item: T) => Promise<string | undefined>,
): Promise<readonly string[]> {
  const faults: string[] = [];
  const waiting = [...items];
  const work = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const fault = await look(next);
      if (fault !== undefined) faults.push(fault);
    }
  };
  await Promise.all(Array.from({ length: readers }, work));
  return faults;
}

const faultOf = (error: unknown): Error => (error instanceof Error ? error : new Error(String(error)));
