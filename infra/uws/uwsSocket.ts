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

/** Lets go of the native socket when it closed: to touch it then would end the process. */
export class UwsSocket implements Socket {
  readonly remoteAddress: string;
  #ws: NativeSocket | undefined;

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
    this.#ws?.subscribe(topic);
  }

  unsubscribe(topic: string): void {
    this.#ws?.unsubscribe(topic);
  }

  close(code: number, reason: string): void {
    this.#ws?.end(code, Buffer.from(reason).subarray(0, longestReasonBytes));
  }

  /** The native socket is gone. */
  markClosed(): void {
    this.#ws = undefined;
  }
}
