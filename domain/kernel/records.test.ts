import fc from "fast-check";
import { expect, test } from "vitest";
import { BrokenRecords, decodeLines, decodeRecords, encodeRecord } from "./records.ts";

/** The bytes in pieces that end at these places. */
async function* inPieces(bytes: Buffer, ends: readonly number[]): AsyncGenerator<Buffer> {
  let from = 0;
  for (const end of [...ends].sort((a, b) => a - b)) {
    if (end <= from || end >= bytes.length) continue;
    yield bytes.subarray(from, end);
    from = end;
  }
  yield bytes.subarray(from);
}

async function all<T>(source: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of source) items.push(item);
  return items;
}

test("a record is the length of its bytes, big-endian, and the bytes", () => {
  expect(Buffer.from(encodeRecord(Buffer.from("ab"))).toString("hex")).toBe("000000026162");
});

test("records come back as they were, in whatever pieces they are read", async () => {
  const pieces = fc.array(fc.nat(200), { maxLength: 20 });
  await fc.assert(
    fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 10 }), pieces, async (records, ends) => {
      const bytes = Buffer.concat(records.map(encodeRecord));
      const read = await all(decodeRecords(inPieces(bytes, ends)));
      expect(read.map((record) => record.toString("hex"))).toEqual(
        records.map((record) => Buffer.from(record).toString("hex")),
      );
    }),
  );
});

test("what ends in the middle of a record, or begins none, is broken", async () => {
  const bytes = Buffer.from(encodeRecord(Buffer.from("abc")));
  await expect(all(decodeRecords(inPieces(bytes.subarray(0, -1), [])))).rejects.toThrow(BrokenRecords);
  await expect(all(decodeRecords(inPieces(Buffer.alloc(8, 0xff), [])))).rejects.toThrow(BrokenRecords);
});

test("lines come back as they were, in whatever pieces they are read", async () => {
  const pieces = fc.array(fc.nat(100), { maxLength: 20 });
  const line = fc.string({ unit: "grapheme", minLength: 1 }).filter((text) => !text.includes("\n"));
  await fc.assert(
    fc.asyncProperty(fc.array(line, { maxLength: 8 }), pieces, async (lines, ends) => {
      const bytes = Buffer.from(lines.map((one) => `${one}\n`).join(""));
      expect(await all(decodeLines(inPieces(bytes, ends)))).toEqual(lines);
    }),
  );
});
