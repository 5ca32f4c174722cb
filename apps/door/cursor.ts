import { pause, type StoredCommit, sealedKeyIds, type Vault } from "@connect-hub/domain/kernel";
import {
  type EventFilter,
  eventFilter,
  type LanePosition,
  positionOf,
  type ReadableLane,
  readAfter,
  type ServiceEvent,
  type Wanted,
} from "@connect-hub/domain/services";

export interface CursorOptions {
  readonly lane: ReadableLane;
  readonly wanted: Wanted;
  readonly vault: Vault;
}

/** What an answer may hold; a message of NATS is at most 1 MiB, and the events of one commit stay together. */
const answerChars = 400_000;

/** Reads one lane on for one service, which asks for a little at a time. */
export class Cursor {
  position: LanePosition;
  usedAt = Date.now();
  readonly #filter: EventFilter;
  readonly #options: CursorOptions;
  readonly #closing = new AbortController();
  readonly #commits: AsyncIterator<readonly StoredCommit[]>;
  /** Asked for, and not there yet. */
  #coming: Promise<IteratorResult<readonly StoredCommit[]>> | undefined;
  #here: readonly StoredCommit[] = [];

  constructor(after: LanePosition, options: CursorOptions) {
    this.position = after;
    this.#options = options;
    this.#filter = eventFilter(options.wanted);
    this.#commits = readAfter(options.lane, after, this.#closing.signal);
  }

  /** The next events, `max` or a commit more; none after `waitMs`. Throws as `readAfter` does: then the cursor is of no more use. */
  async next(max: number, waitMs: number): Promise<ServiceEvent[]> {
    const endsAt = Date.now() + waitMs;
    for (;;) {
      const events = await this.#look(max);
      if (events.length > 0) return events;
      if (!(await this.#receive(endsAt - Date.now()))) return [];
    }
  }

  close(): void {
    this.#closing.abort();
    this.#coming?.catch(() => undefined);
  }

  /** What is wanted of that which is here. */
  async #look(max: number): Promise<ServiceEvent[]> {
    const { wanted, vault } = this.#options;
    const events: ServiceEvent[] = [];
    let chars = 0;
    let done = 0;
    for (const stored of this.#here) {
      if (events.length >= max || chars > answerChars) break;
      const commit = this.#filter.commitOf(stored);
      if (commit !== undefined) {
        const some = this.#filter.events(commit, await vault.byId(sealedKeyIds([commit], wanted.model)));
        if (some.length > 0) chars += stored.bytes.byteLength;
        events.push(...some);
      }
      this.position = positionOf(stored);
      done += 1;
    }
    this.#here = this.#here.slice(done);
    return events;
  }

  async #receive(waitMs: number): Promise<boolean> {
    this.#coming ??= this.#commits.next();
    const waiting = new AbortController();
    const timeout = pause(Math.max(waitMs, 0), waiting.signal).then(() => undefined);
    const got = await Promise.race([this.#coming, timeout]);
    waiting.abort();
    if (got === undefined) return false;
    this.#coming = undefined;
    this.#here = got.done === true ? [] : got.value;
    return got.done !== true;
  }
}
