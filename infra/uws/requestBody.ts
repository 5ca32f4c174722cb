import { RequestAborted } from "./errors.ts";

/** What stops and goes on with the sender. */
export interface Flow {
  pause(): void;
  resume(): void;
}

/** Beyond so many bytes that nobody took yet the sender is stopped; one more read of the library may come on top. */
const maxWaitingBytes = 1024 * 1024;

/**
 * The bytes of a request as they come, to be read once. Holds at most about 1.5 MiB: a sender that is faster than its reader is
 * stopped. Reading throws `RequestAborted` when the client went away before the end; who stops reading discards the rest.
 */
export class RequestBody implements AsyncIterable<Uint8Array> {
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #end: "ended" | "aborted" | undefined;
  #isDiscarding = false;
  #isPaused = false;
  #wake: () => void = () => undefined;
  #onEnd: () => void = () => undefined;
  readonly #flow: Flow;

  constructor(flow: Flow) {
    this.#flow = flow;
  }

  /** Whether all of it came. */
  get isComplete(): boolean {
    return this.#end === "ended";
  }

  /** Whether the sender waits for the reader. */
  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** Bytes of its own, and whether they are the last ones. */
  push(chunk: Uint8Array, isLast: boolean): void {
    if (!this.#isDiscarding && chunk.byteLength > 0) {
      this.#waiting.push(chunk);
      this.#waitingBytes += chunk.byteLength;
    }
    if (isLast) this.#finish("ended");
    else if (!this.#isPaused && this.#waitingBytes >= maxWaitingBytes) {
      this.#isPaused = true;
      this.#flow.pause();
    }
    this.#wake();
  }

  /** The connection is gone; nothing of it may be touched any more. */
  abort(): void {
    if (this.#end !== undefined) return;
    this.#isPaused = false;
    this.#waiting = [];
    this.#finish("aborted");
    this.#wake();
  }

  /** What waits and what comes goes nowhere. */
  discard(): void {
    this.#isDiscarding = true;
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#goOn();
    this.#wake();
  }

  /** Resolves when all came or the connection is gone, at the latest after `timeoutMs`. */
  over(timeoutMs: number): Promise<void> {
    if (this.#end !== undefined) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, timeoutMs);
      this.#onEnd = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      for (;;) {
        const chunk = this.#waiting.shift();
        if (chunk !== undefined) {
          this.#waitingBytes -= chunk.byteLength;
          yield chunk;
        } else if (this.#end === "ended") return;
        else if (this.#end === "aborted" || this.#isDiscarding) throw new RequestAborted();
        else {
          const more = new Promise<void>((resolve) => {
            this.#wake = resolve;
          });
          this.#goOn();
          await more;
        }
      }
    } finally {
      this.discard();
    }
  }

  #goOn(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#flow.resume();
  }

  #finish(end: "ended" | "aborted"): void {
    this.#end = end;
    this.#onEnd();
  }
}
