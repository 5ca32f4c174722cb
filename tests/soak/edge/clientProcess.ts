import { HubError } from "@connect-hub/sdk";
import { randomFrom } from "../../faults/random.ts";
import { openClientJournal } from "./clientJournal.ts";
import { openWriter, type Pace, type WriterPlace } from "./writer.ts";

// Some clients in a process of their own, which may be killed, stopped, or have a wrong clock. It does what its parent says.

/** What the parent says. */
export type Order =
  | { readonly begin: ClientPlan }
  | { readonly go: Pace }
  /** Answered by `rested` when everything sent was answered. */
  | { readonly rest: true }
  | { readonly unruly: boolean };

/** Who they are, where they connect to, and what they know of. */
export interface ClientPlan extends WriterPlace {
  readonly journalFile: string;
  readonly seed: string;
  readonly writers: readonly {
    readonly who: string;
    readonly token: string;
    readonly position: string | undefined;
    /** Whom this one puts out of the room `door`, and lets in again. */
    readonly guest?: string;
  }[];
}

let isUnruly = false;
let stop: () => Promise<void> = async () => undefined;
let go: (pace: Pace) => void = () => undefined;

process.on("message", (order: Order) => void obey(order).catch(fail));
process.on("disconnect", () => process.exit(0));
process.send?.("loaded");

async function obey(order: Order): Promise<void> {
  if ("begin" in order) begin(order.begin);
  else if ("go" in order) go(order.go);
  else if ("unruly" in order) isUnruly = order.unruly;
  else {
    await stop();
    process.send?.("rested");
  }
}

function begin({ journalFile, seed, writers, ...place }: ClientPlan): void {
  const journal = openClientJournal(journalFile);
  const opened = writers.map((writer) =>
    openWriter({
      ...place,
      ...writer,
      journalFile,
      journal,
      random: randomFrom(`${seed}/${writer.who}`),
      isUnruly: () => isUnruly,
      onBug: fail,
    }),
  );
  go = (pace) => {
    for (const writer of opened) writer.go(pace);
  };
  stop = async () => void (await Promise.all(opened.map((writer) => writer.rest())));
}

function fail(error: unknown): void {
  process.stderr.write(`A client of the soak: ${error instanceof HubError ? error.name : (error as Error).stack}\n`);
  process.exit(1);
}
