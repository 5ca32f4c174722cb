import { expect, test } from "vitest";
import { byteRange } from "./byteRange.ts";

test.each([
  [undefined, undefined],
  ["bytes=0-", { from: 0, to: 10 }],
  ["bytes=2-4", { from: 2, to: 5 }],
  ["bytes=2-400", { from: 2, to: 10 }],
  ["bytes=-3", { from: 7, to: 10 }],
  ["bytes=-30", { from: 0, to: 10 }],
  ["bytes=10-", null],
  ["bytes=4-2", null],
  ["bytes=-", null],
  ["bytes=-0", null],
  ["lines=1-2", null],
])("%s of ten bytes", (header, range) => expect(byteRange(header, 10)).toEqual(range));
