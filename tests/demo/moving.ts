import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { RunningSshd } from "@connect-hub/runtime";
import { type BoxNodes, filesIn } from "../support/boxNodes.ts";
import type { Box } from "./box.ts";
import type { FileEvidence, Forwarded } from "./fileFindings.ts";
import type { Finding } from "./judge.ts";
import { type Brought, bringFiles, type Library } from "./library.ts";
import { newKey } from "./newKey.ts";
import { chooseFiles, type RealFile } from "./realFiles.ts";
import { killNode, killWorker } from "./strike.ts";
import { waitFor } from "./waitFor.ts";

/** What the second half of the demo is played with. */
export interface Moving {
  readonly files: readonly RealFile[];
  /** What the box may use of the disk for files: less than they have. */
  readonly budgetBytes: number;
}

const checkout = fileURLToPath(new URL("../..", import.meta.url));
/** Documents, images, fonts, programs, archives; whatever of it the machine has. */
const folders = [
  "/usr/share/doc",
  "/usr/share/icons",
  "/usr/share/pixmaps",
  "/usr/share/fonts",
  join(checkout, "docs"),
  join(checkout, "node_modules"),
];
/** From here on files are dropped from the server, until it has less than that (`domain/content/levelOf.ts`). */
const droppedFrom = 0.75;
const droppedTo = 0.65;
const refusedFrom = 0.95;
const settleMs = 60_000;
const lookMs = 250;
const forwards = 3;

/** Chooses the files and a budget that is too small for all of them, but large enough for each while others move out. */
export function chooseMoving(): Moving {
  const bySize = chooseFiles(folders).toSorted((a, b) => b.size - a.size);
  const bytes = bySize.reduce((sum, { size }) => sum + size, 0);
  const [largest, ...others] = bySize;
  if (largest === undefined) throw new Error(`This machine has no files in ${folders.join(", ")}.`);
  const second = others[0]?.size ?? 0;
  // The largest comes first, into an empty store; every other one finds it as full as it is after a drop.
  const least = Math.max(largest.size / refusedFrom, second / (refusedFrom - droppedTo)) * 1.1;
  const mixed = others.map((file, index) => ({ file, place: (index * 17) % others.length }));
  const files = [largest, ...mixed.toSorted((a, b) => a.place - b.place).map(({ file }) => file)];
  // One of them comes a second time, as a record of its own on the same bytes.
  const again = others[Math.floor(others.length / 2)];
  return {
    files: again === undefined ? files : [...files, again],
    budgetBytes: Math.ceil(Math.max(least, bytes * 0.4)),
  };
}

/** What may be killed while files move. */
export type Strike = keyof typeof strikes;

/** Files that come in parts, one with each act. */
export interface Delivery {
  /** Brings the next of `parts` parts; while its files move on to the nodes, what `strike` says is killed. */
  bring(part: number, parts: number, strike: Strike | undefined): Promise<void>;
  /** Waits until what is too much has moved; all that was brought. */
  finish(): Promise<Carried>;
}

/** What came of bringing the files. */
export interface Carried {
  readonly brought: readonly Brought[];
  /** The most bytes that the server's disk had for files at any time. */
  readonly peakBytes: number;
}

export function startDelivery(
  { files, budgetBytes }: Moving,
  { box, nodes, library }: { readonly box: Box; readonly nodes: BoxNodes; readonly library: Library },
): Delivery {
  const brought: Brought[] = [];
  let peakBytes = 0;
  const measure = () => {
    peakBytes = Math.max(peakBytes, usedBytes(box));
  };
  return {
    async bring(part, parts, strike) {
      const [from, to] = [part, part + 1].map((one) => Math.floor((files.length * one) / parts));
      const meter = setInterval(measure, lookMs);
      const striking = strike === undefined ? undefined : strikes[strike](box, nodes.all);
      // It is awaited when the files are there.
      striking?.catch(() => undefined);
      try {
        const options = { address: box.address, onBrought: measure };
        brought.push(...(await bringFiles(files.slice(from, to), library, options)));
        await striking;
      } finally {
        clearInterval(meter);
      }
    },
    async finish() {
      const isQuiet = () => nodes.all.every((node) => filesIn(join(node.folder, ".tmp")).length === 0);
      const isRoomy = () => usedBytes(box) < budgetBytes * droppedFrom && isQuiet();
      await waitFor("what is too much has moved to the nodes", isRoomy, settleMs, lookMs);
      return { brought, peakBytes };
    },
  };
}

const strikes = {
  "the placement worker": killWorker,
  "a node": async (_box: Box, [node]: readonly RunningSshd[]): Promise<void> => {
    if (node !== undefined) await killNode(node);
  },
} as const;

/** Forwards some files to the branch, then deletes the messages that they were in. */
export async function forwardSome(
  brought: readonly Brought[],
  { branch, members }: Library,
): Promise<Pick<FileEvidence, "brought" | "forwarded">> {
  const [librarian] = members;
  if (librarian === undefined) throw new Error("A library has a librarian.");
  const step = Math.max(1, Math.floor(brought.length / forwards));
  const chosen = brought.filter((_, index) => index % step === 0).slice(0, forwards);
  const forwarded = await Promise.all(
    chosen.map(async (original): Promise<Forwarded> => {
      const wanted = { file: original.file, room: branch };
      const answer = await librarian.client.command("forwardFile", wanted, { key: newKey() });
      const { file } = answer as { readonly file: string };
      await librarian.say("postMessage", { room: branch, text: "For you.", files: [file] });
      await original.by.say("deleteMessage", { room: original.room, message: original.s });
      return { original, file };
    }),
  );
  return { brought: brought.filter((one) => !chosen.includes(one)), forwarded };
}

/** Whether the server kept to the disk that it was given. */
export function budgetFinding({ budgetBytes }: Moving, { peakBytes }: Carried): Finding {
  const inMiB = (bytes: number) => (bytes / 1024 ** 2).toFixed(1);
  return {
    check: "the server keeps to its disk",
    looked: `at most ${inMiB(peakBytes)} of ${inMiB(budgetBytes)} MiB`,
    faults: peakBytes > budgetBytes ? [`${peakBytes} bytes is more than ${budgetBytes}`] : [],
  };
}

function usedBytes(box: Box): number {
  // A file that gets its last name has two for a moment.
  const sizes = new Map(filesIn(join(box.folder, "content")).map(({ ino, size }) => [ino, size]));
  return [...sizes.values()].reduce((sum, size) => sum + size, 0);
}
