import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { chooseFiles } from "./realFiles.ts";

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "connect-hub-files-"));
  mkdirSync(join(folder, "below"));
  writeFileSync(join(folder, "empty.txt"), "");
  for (let i = 0; i < 40; i++) writeFileSync(join(folder, `${i}.txt`), "x".repeat(1_000));
  writeFileSync(join(folder, "below/picture.png"), Buffer.alloc(2_000));
  writeFileSync(join(folder, "large.bin"), Buffer.alloc(3 * 1024 ** 2));
  symlinkSync(join(folder, "large.bin"), join(folder, "link.bin"));
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("files of all sizes and kinds are chosen, and not too many of one", () => {
  const names = chooseFiles([folder, join(folder, "nowhere")]).map(({ path }) => basename(path));
  expect(names[0]).toBe("empty.txt");
  expect(names).toContain("picture.png");
  expect(names.at(-1)).toBe("large.bin");
  expect(names.length).toBeLessThan(20);
  expect(new Set(names).size).toBe(names.length);
  expect(names).not.toContain("link.bin");
});

test("the same folder gives the same files", () => {
  expect(chooseFiles([folder])).toEqual(chooseFiles([folder]));
});

test("a file has the type that its name says", () => {
  const types = new Map(chooseFiles([folder]).map(({ path, type }) => [basename(path), type]));
  expect(types.get("picture.png")).toBe("image/png");
  expect(types.get("large.bin")).toBe("application/octet-stream");
});
