import type { Reader } from "./roomFeed.ts";

/** A longer list is not copied for each room that is put there. */
const few = 100;

/** The rooms of one socket, in the order of their ids. Most sockets are in few: a map of those takes three times the memory, and there is one for each socket. */
export class ReaderList {
  #readers: Reader[] = [];

  get(room: string): Reader | undefined {
    const found = this.#readers[this.#placeOf(room)];
    return found?.room === room ? found : undefined;
  }

  /** In place of the one of the same room, if there is one. */
  put(reader: Reader): void {
    const place = this.#placeOf(reader.room);
    const replaced = this.#readers[place]?.room === reader.room ? 1 : 0;
    // A new array has no room to grow.
    if (this.#readers.length < few) this.#readers = this.#readers.toSpliced(place, replaced, reader);
    else this.#readers.splice(place, replaced, reader);
  }

  /** Takes this one out, unless another one has taken its place. */
  remove(reader: Reader): void {
    if (this.get(reader.room) === reader) this.#readers.splice(this.#placeOf(reader.room), 1);
  }

  [Symbol.iterator](): Iterator<Reader> {
    return this.#readers.values();
  }

  /** Where the room is, or would be. */
  #placeOf(room: string): number {
    let [low, high] = [0, this.#readers.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#readers[middle]?.room ?? "") < room) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
