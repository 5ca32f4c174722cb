// A stored format: records one after another, each the number of its bytes (4 bytes, big-endian) and the bytes.

/** The record of `bytes`. */
export function encodeRecord(bytes: Uint8Array): Uint8Array {
  const record = Buffer.allocUnsafe(lengthBytes + bytes.byteLength);
  record.writeUInt32BE(bytes.byteLength, 0);
  record.set(bytes, lengthBytes);
  return record;
}

/** A file of records ends in the middle of one, or holds one that is too long to be one. */
export class BrokenRecords extends Error {}

/** The records in these bytes, in any pieces. Throws `BrokenRecords`. */
export async function* decodeRecords(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const piece of source) {
    rest = rest.length === 0 ? piece : Buffer.concat([rest, piece]);
    let at = 0;
    while (rest.length - at >= lengthBytes) {
      const length = rest.readUInt32BE(at);
      if (length > maxBytes) throw new BrokenRecords(`a record says that it has ${length} bytes`);
      if (rest.length - at - lengthBytes < length) break;
      yield rest.subarray(at + lengthBytes, at + lengthBytes + length);
      at += lengthBytes + length;
    }
    rest = rest.subarray(at);
  }
  if (rest.length > 0) throw new BrokenRecords(`${rest.length} bytes are left over at the end`);
}

/** The text lines in these bytes, in any pieces, without their ends. */
export async function* decodeLines(source: AsyncIterable<Buffer>): AsyncGenerator<string, void> {
  let rest = "";
  const decoder = new TextDecoder();
  for await (const piece of source) {
    const lines = (rest + decoder.decode(piece, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
  if (rest !== "") yield rest;
}

const lengthBytes = 4;
/** Far more than a commit may have. */
const maxBytes = 16 * 1024 * 1024;
