/**
 * The number of the last event of each room, for rooms seen lately. A room is remembered until so many others came after
 * it; rooms of commits that are not applied yet must be among those, since the tables don't have their numbers.
 */
export class RoomNumbers {
  #young = new Map<string, number>();
  #old = new Map<string, number>();
  readonly #maxYoung: number;

  constructor(maxYoung: number) {
    this.#maxYoung = maxYoung;
  }

  get(room: string): number | undefined {
    return this.#young.get(room) ?? this.#old.get(room);
  }

  set(room: string, s: number): void {
    if (this.#young.size >= this.#maxYoung && !this.#young.has(room)) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(room, s);
  }
}
