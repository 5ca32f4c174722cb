import type { SendOutcome, Socket } from "./server.ts";

/** What is used of a socket of uWebSockets.js. */
interface NativeSocket {
  send(message: string | Uint8Array, isBinary: boolean, compress: boolean): number;
  getBufferedAmount(): number;
  getRemoteAddressAsText(): ArrayBuffer;
  subscribe(topic: string): boolean;
  unsubscribe(topic: string): boolean;
  cork(work: () => void): unknown;
  end(code: number, reason: Uint8Array): void;
}

const longestReasonBytes = 123;
const sendOutcomes: Readonly<Record<number, SendOutcome>> = { 0: "backpressure", 1: "sent", 2: "dropped" };

/**
 * Lets go of the native socket when it closed: to touch it then would end the process. So would leaving a topic, or closing, while
 * the library walks through the topics, as it does when it finds that something is dropped: both wait until it is through.
 */
export class UwsSocket implements Socket {
  readonly remoteAddress: string;
  #ws: NativeSocket | undefined;
  /** What waits for the end of a walk; undefined when there is none. */
  #afterWalk: (() => void)[] | undefined;

  constructor(ws: NativeSocket) {
    this.#ws = ws;
    this.remoteAddress = Buffer.from(ws.getRemoteAddressAsText()).toString();
  }

  get bufferedBytes(): number {
    return this.#ws?.getBufferedAmount() ?? 0;
  }

  send(message: string | Uint8Array): SendOutcome {
    return sendOutcomes[this.#ws?.send(message, false, false) ?? 2] ?? "dropped";
  }

  cork(work: () => void): void {
    if (this.#ws === undefined) work();
    else this.#ws.cork(work);
  }

  subscribe(topic: string): void {
    this.#whenSafe(() => this.#ws?.subscribe(topic));
  }

  unsubscribe(topic: string): void {
    this.#whenSafe(() => this.#ws?.unsubscribe(topic));
  }

  close(code: number, reason: string): void {
    this.#whenSafe(() => this.#ws?.end(code, Buffer.from(reason).subarray(0, longestReasonBytes)));
  }

  /** Something is dropped: until the next turn of the loop the library may be walking through the topics. */
  walked(): void {
    if (this.#afterWalk !== undefined) return;
    this.#afterWalk = [];
    setImmediate(() => {
      const waiting = this.#afterWalk ?? [];
      this.#afterWalk = undefined;
      for (const act of waiting) act();
    });
  }

  #whenSafe(act: () => void): void {
    if (this.#afterWalk === undefined) act();
    else this.#afterWalk.push(act);
  }

  /** The native socket is gone. */
  markClosed(): void {
    this.#ws = undefined;
  }
}
