import { type BlobStore, StoreFull } from "@connect-hub/blobs";
import { comparePressure } from "@connect-hub/domain/content";

/** Bytes that pass by on their way to a reader and are kept on the server's disk. */
export interface Filling {
  /** Takes the next piece; resolves when there is room for one more. Never rejects: the reader comes first. */
  write(piece: Uint8Array): Promise<void>;
  /** All pieces were written; resolves with whether the bytes are on the disk now. */
  finish(): Promise<boolean>;
  /** No more will come; what was kept is thrown away. Nothing happens after `finish`. */
  abandon(): Promise<void>;
}

/** Pieces that may wait for the disk. */
const maxWaiting = 2;

/** Begins to keep these bytes, unless they are there or the disk is too full. */
export async function startFilling(
  store: BlobStore,
  { hash, size }: { readonly hash: string; readonly size: number },
): Promise<Filling | undefined> {
  const { level } = await store.usage();
  if (comparePressure(level, "hold") >= 0 || (await store.sizeOf(hash)) === size) return undefined;
  const release = await reserve(store, size);
  if (release === undefined) return undefined;
  const pieces = new PieceQueue();
  const filled = store
    .fill(hash, pieces, size)
    .then(
      () => true,
      () => false,
    )
    .finally(() => {
      pieces.end();
      release();
    });
  return {
    write: (piece) => pieces.push(piece),
    finish() {
      pieces.end();
      return filled;
    },
    async abandon() {
      pieces.end();
      await filled;
    },
  };
}

async function reserve(store: BlobStore, size: number): Promise<(() => void) | undefined> {
  try {
    // No room is made for what is on a node.
    return await store.reserve(size, { asks: false });
  } catch (error) {
    if (error instanceof StoreFull) return undefined;
    throw error;
  }
}

/** Pieces on their way from one who waits when there are too many. Ended early it is too short, which the store refuses. */
class PieceQueue implements AsyncIterable<Uint8Array> {
  #waiting: Uint8Array[] = [];
  #hasEnded = false;
  #onChange: () => void = () => undefined;
  #changed = this.#nextChange();

  async push(piece: Uint8Array): Promise<void> {
    while (this.#waiting.length >= maxWaiting && !this.#hasEnded) await this.#changed;
    if (this.#hasEnded) return;
    this.#waiting.push(piece);
    this.#tell();
  }

  end(): void {
    this.#hasEnded = true;
    this.#tell();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void> {
    for (;;) {
      const piece = this.#waiting.shift();
      if (piece !== undefined) {
        this.#tell();
        yield piece;
      } else if (this.#hasEnded) return;
      else await this.#changed;
    }
  }

  #tell(): void {
    const tell = this.#onChange;
    this.#changed = this.#nextChange();
    tell();
  }

  #nextChange(): Promise<void> {
    return new Promise((resolve) => {
      this.#onChange = resolve;
    });
  }
}
