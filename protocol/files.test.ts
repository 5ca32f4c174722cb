import { expect, test } from "vitest";
import { filesOf } from "./files.ts";

const event = (t: string, d?: never) => ({ r: "r", s: 1, t, ...(d !== undefined && { d }) });
const file = { id: "01968a5e-7c1a-7000-8000-3d2c1b0a9f8e", name: "a.txt", size: 5, type: "text/plain" };

test.each([
  ["messagePosted", { text: "x", files: [file] }, [file]],
  ["messagePosted", { text: "x", files: [{ ...file, name: null }] }, [{ ...file, name: null }]],
  ["messagePosted", { text: "x" }, []],
  ["messagePosted", { text: null }, []],
  ["messagePosted", { text: "x", files: [{ id: "x" }] }, []],
  ["messageDeleted", { message: 1, files: [file] }, []],
  ["hidden", undefined, []],
])("of %s %j", (type, data, files) => {
  expect(filesOf(event(type, data as never))).toEqual(files);
});
