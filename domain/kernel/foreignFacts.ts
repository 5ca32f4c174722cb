import { decodePosition } from "../values/position.ts";
import type { FactRef, Row } from "./fact.ts";
import { type FactSource, FactsUnavailable, type Lane } from "./ports.ts";
import { epoch8 } from "./subjects.ts";

/** Facts of another lane: rows at that lane's checkpoint. They may be stale; a reactor handles what changes later. */
export class ForeignFacts {
  readonly #lane: Lane;
  readonly #source: FactSource;

  constructor(lane: Lane, source: FactSource) {
    this.#lane = lane;
    this.#source = source;
  }

  /**
   * These rows, as new as the position token `after` asks. A row that is absent is believed only at the lane's head as it
   * was at the call, so what was just told to anybody is seen. Throws `FactsUnavailable` at the deadline.
   */
  async load(
    refs: readonly FactRef[],
    after: string | undefined,
    deadlineAt: number,
  ): Promise<ReadonlyMap<FactRef, Row | null>> {
    const wanted = after === undefined ? undefined : decodePosition(after)?.[this.#lane.id];
    let needed = wanted && wanted[0] === epoch8(this.#lane.epoch) ? wanted[1] : 0;
    let fenced = false;
    for (;;) {
      const { checkpoint, rows } = await this.#source.load(this.#lane.id, refs);
      const isNewEnough = checkpoint.n >= needed;
      if (isNewEnough && (fenced || refs.every((ref) => rows.get(ref)))) return rows;
      if (isNewEnough) {
        needed = await this.#lane.lastNumber();
        fenced = true;
        if (checkpoint.n >= needed) return rows;
      }
      if (Date.now() + pollMs >= deadlineAt) throw new FactsUnavailable(`the read tables of ${this.#lane.id} lag`);
      await new Promise((resolve) => setTimeout(resolve, pollMs));
    }
  }
}

const pollMs = 15;
