import type { LanePosition } from "@connect-hub/domain/services";
import { Cursor, type CursorOptions } from "./cursor.ts";

const idleMs = 30_000;
const perService = 64;

/** Where services are reading, the cursors that were used last at the end. One that asks on from where it was told to goes on by the cursor that it had. */
export class Cursors {
  readonly #idle = new Map<string, Cursor>();
  readonly #sweeping = setInterval(() => this.#sweep(), idleMs / 3);

  /** The cursor of `who` at a position, made if there is none; it is theirs until it is put back. */
  async take(who: string, after: LanePosition, open: () => Promise<CursorOptions>): Promise<Cursor> {
    const key = keyOf(who, after);
    const there = this.#idle.get(key);
    this.#idle.delete(key);
    return there ?? new Cursor(after, await open());
  }

  /** Leaves it for the next question. */
  putBack(service: string, who: string, cursor: Cursor): void {
    // Whoever comes back to one that was closed gets another: it costs a look at the log, and nothing is lost.
    const own = [...this.#idle.keys()].filter((key) => key.startsWith(`${service}|`));
    const [oldest] = own;
    if (oldest !== undefined && own.length >= perService) {
      this.#idle.get(oldest)?.close();
      this.#idle.delete(oldest);
    }
    cursor.usedAt = Date.now();
    const key = keyOf(who, cursor.position);
    this.#idle.get(key)?.close();
    this.#idle.set(key, cursor);
  }

  close(): void {
    clearInterval(this.#sweeping);
    for (const cursor of this.#idle.values()) cursor.close();
    this.#idle.clear();
  }

  #sweep(): void {
    for (const [key, cursor] of this.#idle) {
      if (Date.now() - cursor.usedAt < idleMs) continue;
      cursor.close();
      this.#idle.delete(key);
    }
  }
}

function keyOf(who: string, [epoch, n]: LanePosition): string {
  return `${who}|${epoch}|${n}`;
}
