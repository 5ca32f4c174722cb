import { mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { makeFolder } from "./makeFolder.ts";

const root = mkdtempSync(join(tmpdir(), "connect-hub-make-"));
afterAll(() => rmSync(root, { recursive: true }));

test("makes what is missing, with its rights, and leaves what is there", () => {
  const folder = join(root, "a/b/c");
  makeFolder(folder, 0o700);
  makeFolder(folder, 0o755);
  expect(["a", "a/b", "a/b/c"].map((name) => statSync(join(root, name)).mode & 0o777)).toEqual([0o700, 0o700, 0o700]);
});

test("says what can't be a folder, and ends where the file system denies what it has", () => {
  writeFileSync(join(root, "file"), "");
  symlinkSync(join(root, "nowhere"), join(root, "dangling"));
  const refused = (why: string) =>
    expect.objectContaining({ code: "BadSetting", message: expect.stringContaining(why) });
  expect(() => makeFolder(join(root, "file"))).toThrow(refused("it is no folder"));
  expect(() => makeFolder(join(root, "file/below"))).toThrow(refused("ENOTDIR"));
  expect(() => makeFolder(join(root, "dangling/below"))).toThrow(refused("ENOENT"));
  expect(() => makeFolder("/proc/none/below")).toThrow(refused("/proc/none"));
});
