import type { NativeResponse } from "./nativeResponse.ts";

/** A body that is made while it is sent. */
export interface StreamedBody {
  /** Its bytes, exactly. */
  readonly length: number;
  /**
   * Begins it; called at most once, and not for HEAD. Read no faster than the client reads. `gone` fires when the client goes away; then
   * it is ended too (`return`). What it throws, or an end before `length`, cuts the connection: the client must not take a part
   * for the whole.
   */
  readonly stream: (gone: AbortSignal) => AsyncIterable<Uint8Array>;
  /** Called when it is not begun after all: for HEAD, and when the client is gone. */
  readonly unused?: () => void;
}

/** A response that is being sent. */
export interface Sending {
  /** False once it was answered or the connection is gone. */
  isOpen(): boolean;
  /** Who it waits for from now on; `client` is said again whenever the client took something. */
  waitsFor(whom: "client" | "source"): void;
  /** All of it is on its way: nothing of the response may be touched any more, not even while the source is closed. */
  complete(): void;
  /** Takes what has the rest offered to the client again, to be called when the library may have forgotten that there is some. */
  onReminder(offerAgain: () => void): void;
  /** Fires when the connection is gone. */
  readonly gone: AbortSignal;
}

/** The body broke off before the length that was announced. */
class BodyTooShort extends Error {
  constructor(sent: number, length: number) {
    super(`a streamed body ended after ${sent} of ${length} bytes`);
  }
}

/**
 * Sends the body of an answer of which status and headers were written. Resolves when all of it is on its way, or the client went
 * away. Throws what the source throws; then the connection has to be cut.
 */
export async function sendStream(res: NativeResponse, body: StreamedBody, sending: Sending): Promise<void> {
  const { length } = body;
  let wake: () => void = () => undefined;
  sending.gone.addEventListener("abort", () => wake());
  sending.onReminder(() => wake());
  // Registered once: a second handler would not replace the first.
  res.onWritable(() => {
    wake();
    return true;
  });
  let sent = 0;
  sending.waitsFor("source");
  for await (const chunk of body.stream(sending.gone)) {
    let rest = chunk.subarray(0, length - sent);
    while (rest.byteLength > 0) {
      if (!sending.isOpen()) return;
      const writable = new Promise<void>((resolve) => {
        wake = resolve;
      });
      const { taken, complete } = offer(res, rest, length);
      if (taken > 0) sending.waitsFor("client");
      sent += taken;
      if (complete) return sending.complete();
      rest = rest.subarray(taken);
      if (rest.byteLength > 0) await writable;
    }
    sending.waitsFor("source");
  }
  if (!sending.isOpen()) return;
  throw new BodyTooShort(sent, length);
}

function offer(res: NativeResponse, chunk: Uint8Array, length: number): { taken: number; complete: boolean } {
  const before = res.getWriteOffset();
  let outcome: [boolean, boolean] = [false, false];
  res.cork(() => {
    outcome = res.tryEnd(chunk, length);
  });
  const [, complete] = outcome;
  // After the end the response may not be asked any more.
  return { taken: complete ? chunk.byteLength : res.getWriteOffset() - before, complete };
}
