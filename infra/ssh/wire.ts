import { NodeError } from "./errors.ts";

// SFTP version 3, draft-ietf-secsh-filexfer-02, as OpenSSH speaks it (its file PROTOCOL has the extensions).

/** Packet types, by the draft's names. */
export const packet = {
  init: 1,
  version: 2,
  open: 3,
  close: 4,
  read: 5,
  write: 6,
  fstat: 8,
  opendir: 11,
  readdir: 12,
  remove: 13,
  mkdir: 14,
  stat: 17,
  rename: 18,
  status: 101,
  handle: 102,
  data: 103,
  name: 104,
  attrs: 105,
  extended: 200,
  extendedReply: 201,
} as const;

/** Status codes; those above 8 are of later versions, which some servers use all the same. */
export const status = {
  ok: 0,
  eof: 1,
  noSuchFile: 2,
  permissionDenied: 3,
  failure: 4,
  noConnection: 6,
  connectionLost: 7,
  noSpace: 14,
  quotaExceeded: 15,
} as const;

/** How `open` opens. */
export const openFlag = { read: 1, write: 2, create: 8, truncate: 16 } as const;

/** What a server says of a file; what it leaves out is undefined. */
export interface Attributes {
  readonly size: number | undefined;
  readonly isFolder: boolean | undefined;
  /** Seconds since 1970. */
  readonly modifiedAt: number | undefined;
}

/** A field of a request: a number is 32 bits wide, a bigint 64, text and bytes carry their length. */
export type Field = number | bigint | string | Uint8Array;

/** A request as it goes over the line. */
export interface Request {
  readonly type: number;
  /** Undefined for `init` alone, which has none. */
  readonly id: number | undefined;
  readonly fields: readonly Field[];
}

/** How many bytes a request takes on the line. */
export function requestBytes({ id, fields }: Request): number {
  return fields.reduce<number>((sum, field) => sum + widthOf(field), id === undefined ? 5 : 9);
}

/** Writes a request into `target`, from `from` on; returns where it ends. */
export function encodeRequest(request: Request, target: Buffer, from: number): number {
  const { type, id, fields } = request;
  let at = target.writeUInt8(type, from + 4);
  if (id !== undefined) at = target.writeUInt32BE(id, at);
  for (const field of fields) {
    if (typeof field === "number") at = target.writeUInt32BE(field, at);
    else if (typeof field === "bigint") at = target.writeBigUInt64BE(field, at);
    else if (typeof field === "string") {
      const length = target.write(field, at + 4);
      at = target.writeUInt32BE(length, at) + length;
    } else {
      at = target.writeUInt32BE(field.length, at);
      target.set(field, at);
      at += field.length;
    }
  }
  target.writeUInt32BE(at - from - 4, from);
  return at;
}

function widthOf(field: Field): number {
  if (typeof field === "number") return 4;
  if (typeof field === "bigint") return 8;
  return 4 + (typeof field === "string" ? Buffer.byteLength(field) : field.length);
}

/** Reads the fields of a packet in their order. Each method throws `NodeError` `BadAnswer` where the packet ends too early. */
export class PacketReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  byte(): number {
    return this.#bytes.readUInt8(this.#take(1));
  }

  uint32(): number {
    return this.#bytes.readUInt32BE(this.#take(4));
  }

  /** A 64 bit number. One that JavaScript can't hold exactly is no size of a file here. */
  uint64(): number {
    const value = Number(this.#bytes.readBigUInt64BE(this.#take(8)));
    return Number.isSafeInteger(value) ? value : Number.MAX_SAFE_INTEGER;
  }

  bytes(): Buffer {
    const length = this.uint32();
    const from = this.#take(length);
    return this.#bytes.subarray(from, from + length);
  }

  text(): string {
    return this.bytes().toString();
  }

  attributes(): Attributes {
    const flags = this.uint32();
    const size = flags & 1 ? this.uint64() : undefined;
    if (flags & 2) this.#take(8);
    const mode = flags & 4 ? this.uint32() : undefined;
    if (flags & 8) this.#take(4);
    const modifiedAt = flags & 8 ? this.uint32() : undefined;
    if (flags & 0x80000000) for (let left = this.uint32(); left > 0; left--) [this.bytes(), this.bytes()];
    return { size, isFolder: mode === undefined ? undefined : (mode & 0o170000) === 0o040000, modifiedAt };
  }

  // Where the next `count` bytes begin.
  #take(count: number): number {
    const from = this.#at;
    this.#at += count;
    if (this.#at > this.#bytes.length) throw new NodeError("BadAnswer", "The node's answer ends too early.");
    return from;
  }
}
