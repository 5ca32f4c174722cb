const lineEnd = "\r\n";

const withPayload = ["PUB", "HPUB", "MSG", "HMSG"];

/** Cuts what goes between a client and NATS, one way, into whole protocol messages, and names the subject of those that have one. */
export class NatsMessages {
  readonly #onMessage: (bytes: Buffer, subject: string | undefined) => void;
  #rest: Buffer = Buffer.alloc(0);

  constructor(onMessage: (bytes: Buffer, subject: string | undefined) => void) {
    this.#onMessage = onMessage;
  }

  /** Takes the next bytes, which may end anywhere. */
  push(chunk: Buffer): void {
    this.#rest = this.#rest.byteLength === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    for (;;) {
      const lineLength = this.#rest.indexOf(lineEnd);
      if (lineLength === -1) return;
      const words = this.#rest.toString("latin1", 0, lineLength).split(" ");
      const isPublish = withPayload.includes(words[0] ?? "");
      // The last word of these is the size of what follows, headers included.
      const length = lineLength + lineEnd.length + (isPublish ? Number(words.at(-1)) + lineEnd.length : 0);
      if (this.#rest.byteLength < length) return;
      const bytes = this.#rest.subarray(0, length);
      this.#rest = this.#rest.subarray(length);
      this.#onMessage(bytes, isPublish ? words[1] : undefined);
    }
  }
}
