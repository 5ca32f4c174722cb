import type { Duplex } from "node:stream";
import { NodeError } from "./errors.ts";
import { packetSplitter } from "./packetSplitter.ts";
import { requestBatch } from "./requestBatch.ts";
import { type Field, PacketReader, packet, type Request, status } from "./wire.ts";

/** The server's word that a request failed; the link makes a `NodeError` of it, which knows what was asked. */
export class StatusError extends Error {
  readonly status: number;

  constructor(code: number, message: string) {
    super(message === "" ? `status ${code}` : message);
    this.status = code;
  }
}

/** How a session is watched. */
export interface SessionOptions {
  /** With requests open, so long nothing may be heard before the line counts as dead. */
  readonly idleTimeoutMs: number;
  /** Runs what makes many small writes of the stream's carrier, which may go out as one; default: just runs it. */
  readonly together?: (run: () => void) => void;
}

/** What a request waits for: a packet of that type, which `parse` makes something of. */
export interface Expected<T> {
  readonly type: number;
  /** What it throws ends the session. */
  parse(answer: PacketReader): T;
}

interface Pending {
  readonly type: number;
  /** Reads the answer and returns what settles the request with it. */
  parse(answer: PacketReader): () => void;
  reject(error: Error): void;
}

// The version has no id, as the only packet.
const noId = -1;

/**
 * A client of SFTP version 3 over a raw stream. Any number of requests may be open; each is answered or, as soon as the stream
 * ends, fails or says what is no SFTP, rejected. It never waits for the stream: callers bound what they have open.
 */
export class SftpSession {
  readonly #stream: Duplex;
  readonly #options: SessionOptions;
  readonly #send: (request: Request) => void;
  readonly #pending = new Map<number, Pending>();
  readonly #listeners = new Set<(error: NodeError) => void>();
  #extensions: ReadonlyMap<string, string> = new Map();
  #nextId = 0;
  #heardAt = performance.now();
  #watch: NodeJS.Timeout | undefined;
  #error: NodeError | undefined;

  constructor(stream: Duplex, options: SessionOptions) {
    this.#stream = stream;
    this.#options = options;
    const { together = (run) => run() } = options;
    this.#send = requestBatch((block, done) => {
      if (this.#error === undefined) together(() => stream.write(block, done));
    });
    const split = packetSplitter((bytes) => this.#receive(bytes));
    stream.on("data", (chunk: Uint8Array) => this.#guard(() => split(chunk)));
    stream.on("error", (cause) => this.end(new NodeError("NodeCut", "The line to the node broke.", cause)));
    for (const event of ["end", "close"] as const)
      stream.on(event, () => this.end(new NodeError("NodeCut", "The node ended the connection.")));
  }

  /** Begins to talk, and resolves when the server has told its version. Throws `NodeError`; the session is over then. */
  async start(): Promise<this> {
    this.#extensions = await this.#wait(noId, [3], packet.init, { type: packet.version, parse: readVersion });
    return this;
  }

  /** Whether the server knows an extension in that version. */
  has(extension: string, version = "1"): boolean {
    return this.#extensions.get(extension) === version;
  }

  /**
   * Sends a request, its fields copied before this returns, and resolves with what is made of its answer.
   * @throws StatusError when the server reports a failure; NodeError `NodeCut`, `BadAnswer` when the session is over
   */
  request<T>(type: number, fields: readonly Field[], expected: Expected<T>): Promise<T> {
    const id = this.#nextId;
    this.#nextId = (id + 1) % 0x1_0000_0000;
    return this.#wait(id, fields, type, expected);
  }

  /** Tells `listener` when the session ends, at once if it is over; call what it returns to be told no more. */
  onEnd(listener: (error: NodeError) => void): () => void {
    if (this.#error === undefined) this.#listeners.add(listener);
    else listener(this.#error);
    return () => this.#listeners.delete(listener);
  }

  /** Ends the session: everything open is rejected with `error`, as is everything asked later. */
  end(error: NodeError): void {
    if (this.#error !== undefined) return;
    this.#error = error;
    clearTimeout(this.#watch);
    const open = [...this.#pending.values()];
    this.#pending.clear();
    for (const { reject } of open) reject(error);
    this.#stream.destroy();
    for (const listener of this.#listeners) listener(error);
    this.#listeners.clear();
  }

  #wait<T>(id: number, fields: readonly Field[], type: number, expected: Expected<T>): Promise<T> {
    if (this.#error !== undefined) return Promise.reject(this.#error);
    return new Promise((resolve, reject) => {
      if (this.#pending.size === 0) this.#heardAt = performance.now();
      const parse = (answer: PacketReader) => {
        const value = expected.parse(answer);
        return () => resolve(value);
      };
      this.#pending.set(id, { type: expected.type, parse, reject });
      this.#watch ??= this.#look(this.#options.idleTimeoutMs);
      this.#send({ type, id: id === noId ? undefined : id, fields });
    });
  }

  // What a parser throws ends the session: after it nothing can be told apart any more.
  #guard(parse: () => void): void {
    if (this.#error !== undefined) return;
    try {
      parse();
    } catch (error) {
      this.end(
        error instanceof NodeError ? error : new NodeError("BadAnswer", "The node's answer can't be read.", error),
      );
    }
  }

  #receive(bytes: Uint8Array): void {
    if (this.#error !== undefined) return;
    this.#heardAt = performance.now();
    const reader = new PacketReader(bytes);
    const type = reader.byte();
    const id = type === packet.version ? noId : reader.uint32();
    const pending = this.#pending.get(id);
    if (pending === undefined) throw new NodeError("BadAnswer", `The node answered request ${id}, which is not open.`);
    const failure = type === packet.status ? readStatus(reader) : undefined;
    if (failure === undefined && type !== pending.type) {
      throw new NodeError("BadAnswer", `The node answered with type ${type} instead of ${pending.type}.`);
    }
    const settle = failure === undefined ? pending.parse(reader) : () => pending.reject(failure);
    this.#pending.delete(id);
    settle();
  }

  // One timer for all requests, which runs only while any is open.
  #look(afterMs: number): NodeJS.Timeout {
    const { idleTimeoutMs } = this.#options;
    const look = () => {
      this.#watch = undefined;
      if (this.#error !== undefined || this.#pending.size === 0) return;
      const leftMs = idleTimeoutMs - (performance.now() - this.#heardAt);
      if (leftMs > 0) this.#watch = this.#look(leftMs);
      else this.end(new NodeError("NodeCut", `Nothing was heard from the node for ${idleTimeoutMs} ms.`));
    };
    // After a long halt of this process what has come in the meantime is read first.
    return setTimeout(() => setImmediate(look), afterMs);
  }
}

function readVersion(reader: PacketReader): ReadonlyMap<string, string> {
  const version = reader.uint32();
  if (version !== 3) throw new NodeError("BadAnswer", `The node speaks SFTP version ${version}; 3 is needed.`);
  const extensions = new Map<string, string>();
  while (!reader.isAtEnd) extensions.set(reader.text(), reader.text());
  return extensions;
}

function readStatus(reader: PacketReader): StatusError | undefined {
  const code = reader.uint32();
  // Old servers leave the message out.
  return code === status.ok ? undefined : new StatusError(code, reader.isAtEnd ? "" : plain(reader.text()));
}

/** What a node says ends up in logs and on terminals, so nothing of it may move a cursor or fill a disk. */
function plain(text: string): string {
  return text.slice(0, maxMessageLength).replace(/\p{C}/gu, "?");
}

const maxMessageLength = 200;
