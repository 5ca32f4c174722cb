import { chownSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { sweepAbandoned } from "./claim.ts";

const nobody = 65_534;
let parent: string;
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), "connect-hub-sweep-"));
});
afterEach(() => {
  rmSync(parent, { recursive: true, force: true });
});

function folder(name: string): string {
  const path = join(parent, name);
  mkdirSync(join(path, "run"), { recursive: true });
  writeFileSync(join(path, "run/owner.pid"), "no process");
  return path;
}

test("a folder whose owner is dead is removed, one that was not claimed yet stays", async () => {
  const dead = folder("test-dead");
  mkdirSync(join(parent, "test-new"));
  await sweepAbandoned(parent, "test-");
  expect([existsSync(dead), existsSync(join(parent, "test-new"))]).toEqual([false, true]);
});

test.runIf(process.getuid?.() === 0)("a folder of another user stays, whatever it says", async () => {
  const theirs = folder("test-theirs");
  chownSync(theirs, nobody, nobody);
  await sweepAbandoned(parent, "test-");
  expect(existsSync(theirs)).toBe(true);
});
