const lineEnd = "\r\n";

/** How many words the line of each kind with a payload has when no answer is wanted; else there is one more, before the sizes. */
const withPayload: { readonly [kind: string]: { readonly words: number; readonly sizes: number } } = {
  PUB: { words: 3, sizes: 1 },
  HPUB: { words: 4, sizes: 2 },
  MSG: { words: 4, sizes: 1 },
  HMSG: { words: 5, sizes: 2 },
};

/** Hears of a whole protocol message; of its subject, and of where it wants its answer, if it has those. */
type OnMessage = (bytes: Buffer, subject: string | undefined, reply: string | undefined) => void;

/** Cuts what goes between a client and NATS, one way, into whole protocol messages. */
export class NatsMessages {
  readonly #onMessage: OnMessage;
  #rest: Buffer = Buffer.alloc(0);

  constructor(onMessage: OnMessage) {
    this.#onMessage = onMessage;
  }

  /** Takes the next bytes, which may end anywhere. */
  push(chunk: Buffer): void {
    this.#rest = this.#rest.byteLength === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    for (;;) {
      const lineLength = this.#rest.indexOf(lineEnd);
      if (lineLength === -1) return;
      const words = this.#rest.toString("latin1", 0, lineLength).split(" ");
      const kind = withPayload[words[0] ?? ""];
      // The last word of these is the size of what follows, headers included.
      const length = lineLength + lineEnd.length + (kind ? Number(words.at(-1)) + lineEnd.length : 0);
      if (this.#rest.byteLength < length) return;
      const bytes = this.#rest.subarray(0, length);
      this.#rest = this.#rest.subarray(length);
      const reply = kind && words.length > kind.words ? words.at(-1 - kind.sizes) : undefined;
      this.#onMessage(bytes, kind && words[1], reply);
    }
  }
}
