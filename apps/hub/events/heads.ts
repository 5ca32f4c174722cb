import { readFile } from "node:fs/promises";
import { CorruptHead, type Lane, readHead, type SignedHead, signingKeyOf } from "@connect-hub/domain/kernel";
import { readSigningKey } from "@connect-hub/runtime";
import { BadSetting } from "@connect-hub/runtime/settings";
import type { Command } from "commander";
import { readConnections } from "../box/connections.ts";
import type { CommandContext } from "../cli.ts";
import { signedHeadsOf, withLanes } from "../lanes.ts";
import { textTable } from "../table.ts";

interface HeadsOptions {
  readonly lane?: string;
  readonly json?: true;
}

/** `hub events key` and `hub events heads`: what to keep outside, so that nobody who has the box can change the past unnoticed. */
export function registerHeads(events: Command, context: CommandContext): void {
  events
    .command("key")
    .description("print the public key that the lanes' heads are signed with; keep it with the heads")
    .option("--json", "for programs")
    .action(({ json }: { readonly json?: true }) => {
      const key = publicKeyOf(context);
      console.log(json === true ? JSON.stringify({ key }) : key);
    });
  events
    .command("heads")
    .description(
      "print the signed heads of the lanes; with --json they can be kept elsewhere, for events verify --heads",
    )
    .option("--lane <lane>", "only this lane, for example rooms.0")
    .option("--json", "whole, for programs")
    .action(({ lane, json }: HeadsOptions) =>
      withLanes(context, lane, async (lanes, log) => {
        const ids = lanes.map(({ id }) => id);
        const heads = await signedHeadsOf(log, ids);
        console.log(json === true ? JSON.stringify(heads, undefined, 1) : headsTable(heads));
      }),
    );
}

/** The public key of this box. Throws `RuntimeError` when there is none. */
export function publicKeyOf(context: CommandContext): string {
  const { signingKey } = readConnections(context.config().dataDir);
  return signingKeyOf(readSigningKey(signingKey)).publicKey;
}

/** The heads in a file that `events heads --json` printed. Throws `BadSetting`. */
export async function readHeadsFile(path: string): Promise<readonly SignedHead[]> {
  const refuse = (what: string, cause?: unknown) =>
    new BadSetting(
      `The heads in ${path} can't be used: ${what}. Make such a file by: npm run --silent hub -- events heads --json > FILE`,
      { cause },
    );
  let parsed: unknown;
  try {
    parsed = JSON.parse(await readFile(path, "utf8"));
  } catch (cause) {
    throw refuse(cause instanceof SyntaxError ? "that is no JSON" : "it can't be read", cause);
  }
  if (!Array.isArray(parsed)) throw refuse("that is no list of heads");
  return parsed.map((value, index) => {
    try {
      return readHead(value);
    } catch (cause) {
      if (cause instanceof CorruptHead) throw refuse(`head ${index + 1}: ${cause.message}`, cause);
      throw cause;
    }
  });
}

/** Throws `BadSetting` when one of the heads is not of these lanes, or was signed by a key that is none of `keys`. */
export function assertSignedBy(
  heads: readonly SignedHead[],
  keys: readonly string[],
  lanes: readonly Pick<Lane, "id">[],
): void {
  const stranger = heads.find(({ key }) => !keys.includes(key));
  if (stranger !== undefined) {
    throw new BadSetting(
      `The head of commit ${stranger.n} of ${stranger.lane}, signed at ${stranger.at}, has the key ${stranger.key}, which is not this box's (${keys.join(", ")}). If it was this box's once, say so by: --key ${stranger.key}`,
    );
  }
  const other = heads.find(({ lane }) => !lanes.some(({ id }) => id === lane));
  if (other !== undefined) throw new BadSetting(`There is a head of ${other.lane}, but this log has no such lane.`);
}

function headsTable(heads: readonly SignedHead[]): string {
  return textTable(
    ["lane", "commit", "entries", "signed", "tree"],
    heads.map(({ lane, n, size, at, tree }) => [lane, String(n), String(size), at, tree]),
  );
}
