import { describe, expect, test } from "vitest";
import { maxPacketBytes, packetSplitter } from "./packetSplitter.ts";
import { encodeRequest, type Field, PacketReader, packet, requestBytes } from "./wire.ts";

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
const unhex = (text: string) => Buffer.from(text.replaceAll(" ", ""), "hex");

/** A request behind three other bytes, which stay. */
function encode(type: number, id: number | undefined, fields: readonly Field[]): Uint8Array {
  const target = Buffer.alloc(3 + requestBytes({ type, id, fields }));
  expect(encodeRequest({ type, id, fields }, target, 3)).toBe(target.length);
  return target.subarray(3);
}

describe("requests", () => {
  test.each([
    ["init", encode(packet.init, undefined, [3]), "00000005 01 00000003"],
    ["open", encode(packet.open, 7, ["a/é", 1, 0]), "00000015 03 00000007 00000004 612fc3a9 00000001 00000000"],
    [
      "write beyond 4 GiB",
      encode(packet.write, 0xffffffff, [unhex("aabb"), 0x1_0000_0001n, unhex("010203")]),
      "0000001a 06 ffffffff 00000002 aabb 0000000100000001 00000003 010203",
    ],
  ])("%s", (_, encoded, expected) => {
    expect(hex(encoded)).toBe(expected.replaceAll(" ", ""));
  });
});

describe("answers", () => {
  test("attributes are read with whatever fields they have", () => {
    const of = (text: string) => new PacketReader(unhex(text)).attributes();
    expect(of("00000000")).toEqual({ size: undefined, isFolder: undefined, modifiedAt: undefined });
    expect(of("00000001 0000000100000000")).toMatchObject({ size: 0x1_0000_0000 });
    expect(of("00000004 000041c0")).toMatchObject({ isFolder: true });
    expect(of("00000004 00008180")).toMatchObject({ isFolder: false });
    expect(of("0000000f 0000000000000005 00000001 00000002 000081a4 00000003 00000004")).toEqual({
      size: 5,
      isFolder: false,
      modifiedAt: 4,
    });
  });

  test("extended attributes are passed over", () => {
    const reader = new PacketReader(unhex("80000000 00000001 00000001 61 00000002 6262 00000009"));
    reader.attributes();
    expect(reader.uint32()).toBe(9);
    expect(reader.isAtEnd).toBe(true);
  });

  test.each([
    ["a number", "0000", (reader: PacketReader) => reader.uint32()],
    ["a long number", "00000000000000", (reader: PacketReader) => reader.uint64()],
    ["bytes", "00000005 61626364", (reader: PacketReader) => reader.bytes()],
    ["bytes of a wild length", "ffffffff 61626364", (reader: PacketReader) => reader.text()],
    ["attributes", "0000000f 00", (reader: PacketReader) => reader.attributes()],
    ["very many extended attributes", "80000000 ffffffff 00000000", (reader: PacketReader) => reader.attributes()],
  ])("%s that end too early are told", (_, text, read) => {
    expect(() => read(new PacketReader(unhex(text)))).toThrow(expect.objectContaining({ code: "BadAnswer" }));
  });
});

describe("packets in a stream", () => {
  const packets = [unhex("01"), unhex("0203"), Buffer.alloc(70_000, 7), unhex("ff")];
  const stream = Buffer.concat(
    packets.map((one) => {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(one.length);
      return Buffer.concat([length, one]);
    }),
  );

  test.each([1, 2, 3, 4, 5, 7, 32_768, 1_000_000])("come out whole from chunks of %i bytes", (chunkBytes) => {
    const got: Uint8Array[] = [];
    const split = packetSplitter((one) => void got.push(one));
    for (let at = 0; at < stream.length; at += chunkBytes) split(stream.subarray(at, at + chunkBytes));
    expect(got.map(hex)).toEqual(packets.map(hex));
  });

  test.each([0, maxPacketBytes + 1, 0xffffffff])("a length of %i is none", (length) => {
    const header = Buffer.alloc(4);
    header.writeUInt32BE(length);
    expect(() => packetSplitter(() => undefined)(header)).toThrow(expect.objectContaining({ code: "BadAnswer" }));
  });
});
