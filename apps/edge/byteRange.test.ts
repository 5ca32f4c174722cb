import { expect, test } from "vitest";
import { byteRange } from "./byteRange.ts";

test.each([
  [undefined, 10, "none"],
  ["", 10, "none"],
  ["bytes=0-0", 10, { from: 0, to: 1 }],
  ["bytes=0-", 10, { from: 0, to: 10 }],
  ["Bytes=3-5", 10, { from: 3, to: 6 }],
  ["bytes=9-9", 10, { from: 9, to: 10 }],
  ["bytes=9-10", 10, { from: 9, to: 10 }],
  ["bytes=5-99999999999999999999", 10, { from: 5, to: 10 }],
  ["bytes=10-", 10, "bad"],
  ["bytes=10-12", 10, "bad"],
  ["bytes=99999999999999999999-", 10, "bad"],
  ["bytes=-1", 10, { from: 9, to: 10 }],
  ["bytes=-10", 10, { from: 0, to: 10 }],
  ["bytes=-11", 10, { from: 0, to: 10 }],
  ["bytes=-0", 10, "bad"],
  ["bytes=0-", 0, "bad"],
  ["bytes=-5", 0, "bad"],
  ["bytes=5-3", 10, "none"],
  ["bytes=-", 10, "none"],
  ["bytes=0-1,4-5", 10, "none"],
  ["bytes=a-b", 10, "none"],
  ["lines=1-2", 10, "none"],
] as const)("%s of %i bytes", (header, size, expected) => {
  expect(byteRange(header, size)).toEqual(expected);
});
