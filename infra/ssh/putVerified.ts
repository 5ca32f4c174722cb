import type { MoveStep } from "@connect-hub/domain/content";
import { NodeError } from "./errors.ts";
import type { NodeLink } from "./nodeLink.ts";
import { nodeFolders } from "./nodeLink.ts";
import type { Source } from "./transfer.ts";

/** One attempt to bring a blob to a node. */
export interface PutVerifiedOptions {
  /** The blob's name on the node, without a folder. */
  readonly name: string;
  /** Tells this attempt from others: letters, digits, `-`. */
  readonly attempt: string;
  readonly source: Source;
  readonly size: number;
  /** SHA-256, 64 hex digits. */
  readonly hash: string;
  /** Called at each step that a crash may hit. */
  readonly step?: ((name: PutStep) => void | Promise<void>) | undefined;
}

/** The steps of a move that are taken here. */
export type PutStep = Extract<
  MoveStep,
  "move.opened" | "move.copied" | "move.synced" | "move.readBack" | "move.renamed"
>;

/**
 * Brings a blob to a node so that it is there whole and durable under its name, or not at all: written aside, made durable, read back and
 * compared, renamed, the folder made durable. What a failure leaves aside is removed, here or by `removeLeftovers`.
 * @returns where it lies, and whether the node could promise that it is durable
 * @throws NodeError `WrongBytes` when what was read back differs, and as `NodeLink`'s methods
 */
export async function putVerified(
  link: NodeLink,
  { name, attempt, source, size, hash, step = () => undefined }: PutVerifiedOptions,
): Promise<{ readonly path: string; readonly durable: boolean }> {
  const aside = `${nodeFolders.temporary}/${name}.${attempt}`;
  const path = `${nodeFolders.blobs}/${name}`;
  try {
    await link.put(aside, source, size, () => step("move.opened"));
    await step("move.copied");
    const fileDurable = await link.fsync(aside);
    await step("move.synced");
    // A file that goes on is not read to its end, which may never come.
    const told = await link.stat(aside);
    if (told?.size !== size || (await link.hash(aside, size)).hash !== hash) {
      throw new NodeError("WrongBytes", `The node holds other bytes of ${name} than it was given.`);
    }
    await step("move.readBack");
    await link.rename(aside, path);
    // Not every server opens a folder.
    const nameDurable = await link.fsync(nodeFolders.blobs).catch(() => false);
    await step("move.renamed");
    return { path, durable: fileDurable && nameDurable };
  } catch (error) {
    await link.remove(aside).catch(() => undefined);
    throw error;
  }
}

/**
 * Removes what attempts that were cut off have left on a node; returns how many files it were. Only for a mover that is alone there and
 * has nothing under way.
 */
export async function removeLeftovers(link: NodeLink): Promise<number> {
  const leftovers = await link.list(nodeFolders.temporary);
  for (const { name } of leftovers) await link.remove(`${nodeFolders.temporary}/${name}`);
  return leftovers.length;
}
