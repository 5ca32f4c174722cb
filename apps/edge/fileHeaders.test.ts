import { limits } from "@connect-hub/domain/values";
import { describe, expect, test } from "vitest";
import { attachment, namesTag, uploadHead } from "./fileHeaders.ts";

const base64 = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
const head = (query: Record<string, string> = {}, headers: Record<string, string> = {}) => ({
  method: "POST",
  path: "/v1/files",
  query: new URLSearchParams({ room: "r", name: "a.txt", ...query }),
  headers: new Map(Object.entries({ "content-length": "5", ...headers })),
  remoteAddress: "127.0.0.1",
});
const errorOf = (given: ReturnType<typeof head>, most = 100) => {
  try {
    return uploadHead(given, most);
  } catch (error) {
    return (error as { wire: { name: string } }).wire.name;
  }
};

describe("what an upload says of itself", () => {
  test.each([
    ["", "BadInput"],
    ["x", "ok"],
    ["x".repeat(limits.fileNameLength - 1), "ok"],
    ["x".repeat(limits.fileNameLength), "ok"],
    ["x".repeat(limits.fileNameLength + 1), "BadInput"],
    ["a\0b", "BadInput"],
    ["Ω “file”.png", "ok"],
  ])("a name: %j", (name, outcome) => {
    const read = errorOf(head({ name }));
    expect(typeof read === "string" ? read : "ok").toBe(outcome);
    if (typeof read !== "string") expect(read.name).toBe(name);
  });

  test.each([
    ["99", 99],
    ["100", 100],
    ["101", "FileTooLarge"],
    ["0", 0],
    ["-1", "LengthRequired"],
    ["1e3", "LengthRequired"],
    ["", "LengthRequired"],
  ])("a length of %j where 100 are allowed", (length, outcome) => {
    const read = errorOf(head({}, { "content-length": length }));
    expect(typeof read === "string" ? read : read.size).toBe(outcome);
  });

  test("without a length", () => {
    const { headers, ...rest } = head();
    headers.delete("content-length");
    expect(errorOf({ ...rest, headers })).toBe("LengthRequired");
  });

  test.each([
    [undefined, "application/octet-stream"],
    ["", "application/octet-stream"],
    ["text/plain;charset=UTF-8", "text/plain"],
    ["Image/PNG", "image/png"],
    ["nonsense", "application/octet-stream"],
    ["a/b c", "application/octet-stream"],
    [`a/${"b".repeat(125)}`, `a/${"b".repeat(125)}`],
    [`a/${"b".repeat(126)}`, "application/octet-stream"],
  ])("a type: %s", (type, expected) => {
    const read = errorOf(head({}, type === undefined ? {} : { "content-type": type }));
    expect(read).toMatchObject({ type: expected });
  });

  test.each([
    [`sha-256=:${base64}:`, Buffer.from(base64, "base64").toString("hex")],
    [`sha-512=:AAAA:, sha-256=:${base64}:`, Buffer.from(base64, "base64").toString("hex")],
    ["sha-512=:AAAA:", undefined],
  ])("a digest: %s", (header, digest) => {
    expect(errorOf(head({}, { "content-digest": header }))).toMatchObject({ digest });
  });

  test.each(["sha-256=:short:", `sha-256=${base64}`, "sha-256=::"])("a digest that is none: %s", (header) => {
    expect(errorOf(head({}, { "content-digest": header }))).toBe("BadInput");
  });
});

test.each([
  ["a.txt", `attachment; filename="a.txt"; filename*=UTF-8''a.txt`],
  ['say "hi"\\%.txt', `attachment; filename="say _hi___.txt"; filename*=UTF-8''say%20%22hi%22%5C%25.txt`],
  ["Ω\r\nX: 1", `attachment; filename="___X: 1"; filename*=UTF-8''%CE%A9%0D%0AX%3A%201`],
  ["it's (1)*", `attachment; filename="it's (1)*"; filename*=UTF-8''it%27s%20%281%29%2A`],
])("%j is saved under its name and breaks no header", (name, header) => {
  expect(attachment(name)).toBe(header);
});

test.each([
  [undefined, false],
  ['"b"', false],
  ['"a"', true],
  ['W/"a"', true],
  ['"b", "a"', true],
  ["*", true],
])("If-None-Match: %s", (header, named) => {
  expect(namesTag(header, '"a"')).toBe(named);
});
