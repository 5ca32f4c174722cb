import { decodeCommit } from "./commit.ts";
import type { ContextModel, DomainEvent, EventPlace } from "./event.ts";
import { pause } from "./pause.ts";
import type { Lane, StoredCommit, Vault } from "./ports.ts";
import { openEvent, sealedKeyIds } from "./sealing.ts";
import type { ReactStep, Step } from "./steps.ts";
import { storedTypesOf } from "./versions.ts";

/** Where a reactor's checkpoint is kept. A lost one costs time, never truth: what it does twice has the same ids. */
export interface ReactorCheckpoint {
  /** The commit up to which all were handled; 0 for none. */
  read(): Promise<number>;
  write(n: number): Promise<void>;
}

export interface ReactorOptions {
  readonly lane: Pick<Lane, "read">;
  readonly vault: Vault;
  readonly model: ContextModel;
  readonly checkpoint: ReactorCheckpoint;
  /**
   * The newest types of the events that matter to it; all, if left out. A commit that names none of them, nor a version before,
   * is skipped without decoding.
   */
  readonly types?: readonly string[];
  /**
   * Handles one event, and resolves when its effects are committed. Called again after a crash or when it throws, so all
   * that it sends must have ids derived from the event. Events of other commits may be handled at the same time.
   */
  react(event: DomainEvent, place: EventPlace, signal: AbortSignal): Promise<void>;
  /** Called after each step that leaves something behind: where a crash test dies. */
  readonly step?: Step<ReactStep>;
  /** Told of each failure; the reactor tries again by itself. */
  onTrouble?(error: unknown): void;
}

/** A reactor at work. */
export interface Reactor {
  /** Ends it, and notes how far it is. */
  close(): Promise<void>;
}

/** Runs the one reactor of a lane: each event until it is done, so that one that waits holds up no other. */
export function startReactor(options: ReactorOptions): Reactor {
  const stop = new AbortController();
  const types = options.types && storedTypesOf(options.types, options.model);
  const running = run(types === undefined ? options : { ...options, types }, stop.signal);
  return {
    async close() {
      stop.abort();
      await running;
    },
  };
}

async function run(options: ReactorOptions, signal: AbortSignal): Promise<void> {
  const { checkpoint, lane } = options;
  const open = new Map<number, Promise<void>>();
  const start = await insist(() => checkpoint.read(), options, signal);
  if (start === undefined) return;
  let last = start;
  let written = start;
  // All before the first open one are done. A checkpoint that is a little old costs reading again, no more.
  const note = async (): Promise<void> => {
    const done = Math.min(last, ...[...open.keys()].map((n) => n - 1));
    if (done <= written) return;
    try {
      await checkpoint.write(done);
      written = done;
      await options.step?.("react.noted");
    } catch (error) {
      options.onTrouble?.(error);
    }
  };
  // Where next to nothing is to be done, little is lost with an old checkpoint.
  const timer = setInterval(() => void note(), options.types === undefined ? noteEveryMs : noteSkippedEveryMs);
  while (!signal.aborted) {
    try {
      for await (const batch of lane.read(last + 1, signal)) {
        for (const commit of batch) {
          if (mayMatter(commit, options.types)) {
            while (open.size >= maxOpen && !signal.aborted) await Promise.race(open.values());
            const handled = insist(() => reactTo(commit, options, signal), options, signal);
            const closed = handled.then((done) => void (done === undefined || open.delete(commit.n)));
            open.set(commit.n, closed);
          }
          last = commit.n;
        }
      }
    } catch (error) {
      options.onTrouble?.(error);
      await pause(retryMs, signal);
    }
  }
  clearInterval(timer);
  await Promise.all(open.values());
  await note();
}

/** Tries until it works; undefined when `signal` aborts first. */
async function insist<T>(work: () => Promise<T>, options: ReactorOptions, signal: AbortSignal): Promise<T | undefined> {
  while (!signal.aborted) {
    try {
      const result = await work();
      return signal.aborted ? undefined : result;
    } catch (error) {
      if (signal.aborted) return undefined;
      options.onTrouble?.(error);
      await pause(retryMs, signal);
    }
  }
  return undefined;
}

async function reactTo({ bytes }: StoredCommit, options: ReactorOptions, signal: AbortSignal): Promise<true> {
  const { model, vault, react, types } = options;
  const commit = decodeCommit(bytes);
  const keys = await vault.byId(sealedKeyIds([commit], model));
  const place = { lane: commit.lane, n: commit.n, at: commit.at };
  for (const stored of commit.entries.flatMap((entry) => entry.events)) {
    if (signal.aborted) break;
    if (types !== undefined && !types.includes(stored.type)) continue;
    await react(openEvent(stored, model, keys), place, signal);
  }
  await options.step?.("react.done");
  return true;
}

/** Whether the text of a commit names one of these types; what a person wrote is sealed and can't. */
function mayMatter({ bytes }: StoredCommit, types: readonly string[] | undefined): boolean {
  if (types === undefined) return true;
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return types.some((type) => text.includes(`"type":"${type}"`));
}

const maxOpen = 64;
const noteEveryMs = 1_000;
const noteSkippedEveryMs = 5_000;
const retryMs = 500;
