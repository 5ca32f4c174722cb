import { decodeCommit } from "./commit.ts";
import type { ContextModel, DomainEvent, EventPlace } from "./event.ts";
import type { Lane, StoredCommit, Vault } from "./ports.ts";
import { openEvent, sealedKeyIds } from "./sealing.ts";

/** Where a reactor's checkpoint is kept. A lost one costs time, never truth: what it does twice has the same ids. */
export interface ReactorCheckpoint {
  /** The last commit that was handled; 0 for none. */
  read(): Promise<number>;
  write(n: number): Promise<void>;
}

export interface ReactorOptions {
  readonly lane: Lane;
  readonly vault: Vault;
  readonly model: ContextModel;
  readonly checkpoint: ReactorCheckpoint;
  /**
   * Handles one event, and resolves when its effects are committed. Called again after a crash or when it throws, so all
   * that it sends must have ids derived from the event.
   */
  react(event: DomainEvent, place: EventPlace, signal: AbortSignal): Promise<void>;
  /** Told of each failure; the reactor tries again by itself. */
  onTrouble?(error: unknown): void;
}

/** A reactor at work. */
export interface Reactor {
  close(): Promise<void>;
}

/** Runs the one reactor of a lane: each event in order, each until it is done. */
export function startReactor(options: ReactorOptions): Reactor {
  const stop = new AbortController();
  const running = run(options, stop.signal);
  return {
    async close() {
      stop.abort();
      await running;
    },
  };
}

async function run(options: ReactorOptions, signal: AbortSignal): Promise<void> {
  const { checkpoint, lane, onTrouble } = options;
  let done: number | undefined;
  let written = 0;
  while (!signal.aborted) {
    try {
      done ??= await checkpoint.read();
      for await (const batch of lane.read(done + 1, signal)) {
        for (const commit of batch) {
          await reactTo(commit, options, signal);
          if (signal.aborted) return;
          done = commit.n;
        }
        // A checkpoint that is a little old costs reading again, no more; one for each commit would cost a sync each.
        if (Date.now() < written + writeEveryMs) continue;
        await checkpoint.write(done);
        written = Date.now();
      }
    } catch (error) {
      if (signal.aborted) return;
      onTrouble?.(error);
      await new Promise((resolve) => setTimeout(resolve, retryMs));
    }
  }
}

async function reactTo({ bytes }: StoredCommit, options: ReactorOptions, signal: AbortSignal): Promise<void> {
  const { model, vault, react } = options;
  const commit = decodeCommit(bytes);
  const keys = await vault.byId(sealedKeyIds([commit], model));
  const place = { lane: commit.lane, n: commit.n, at: commit.at };
  for (const stored of commit.entries.flatMap((entry) => entry.events)) {
    await react(openEvent(stored, model, keys), place, signal);
    if (signal.aborted) return;
  }
}

const writeEveryMs = 1_000;
const retryMs = 500;
