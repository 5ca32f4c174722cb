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
  /** Undefined: what is sealed stays so. */
  readonly vault: Vault | undefined;
}

/** What an answer may hold; a message of NATS is at most 1 MiB. The events of one commit stay together: one of many may be longer. */
const answerBytes = 512 * 1024;

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

  /**
   * The next events, a JSON array of `max` or a commit more; empty after `waitMs`. Throws as `readAfter` does: then the cursor is of no
   * more use.
   */
  async next(max: number, waitMs: number): Promise<string> {
    const endsAt = Date.now() + waitMs;
    for (;;) {
      const texts = await this.#look(max);
      if (texts.length > 0) return `[${texts.join()}]`;
      if (!(await this.#receive(endsAt - Date.now()))) return "[]";
    }
  }

  close(): void {
    this.#closing.abort();
    this.#coming?.catch(() => undefined);
  }

  /** What is wanted of that which is here, as JSON. */
  async #look(max: number): Promise<string[]> {
    const texts: string[] = [];
    let bytes = 0;
    let done = 0;
    for (const stored of this.#here) {
      if (texts.length >= max) break;
      const some = (await this.#eventsOf(stored)).map((event) => JSON.stringify(event));
      const more = some.reduce((sum, text) => sum + Buffer.byteLength(text) + 1, 0);
      if (texts.length > 0 && bytes + more > answerBytes) break;
      bytes += more;
      texts.push(...some);
      this.position = positionOf(stored);
      done += 1;
    }
    this.#here = this.#here.slice(done);
    return texts;
  }

  async #eventsOf(stored: StoredCommit): Promise<ServiceEvent[]> {
    const { wanted, vault } = this.#options;
    const commit = this.#filter.commitOf(stored);
    if (commit === undefined) return [];
    return this.#filter.events(commit, await vault?.byId(sealedKeyIds([commit], wanted.model)));
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
