import { chownSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { oneAtATime, sweepAbandoned } from "./claim.ts";
import { openDataFolder } from "./dataFolder.ts";

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

test("what is done under one name is done one after another, and who died leaves no lock", async () => {
  const data = openDataFolder(join(parent, "turns"));
  writeFileSync(join(data.run, "services.lock"), "no process");
  const seen: string[] = [];
  const work = (name: string) => async () => {
    seen.push(`${name} begins`);
    await new Promise(setImmediate);
    seen.push(`${name} ends`);
  };
  await Promise.all(["a", "b", "c"].map((name) => oneAtATime(data, "services", work(name))));
  const pairs = ["a", "b", "c"].map((name) => seen.indexOf(`${name} ends`) - seen.indexOf(`${name} begins`));
  expect([seen.length, pairs]).toEqual([6, [1, 1, 1]]);
  const failing = oneAtATime(data, "services", async () => {
    const late = oneAtATime(data, "services", async () => undefined, 0);
    await expect(late).rejects.toMatchObject({ code: "AlreadyRunning" });
    throw new Error("mine");
  });
  await expect(failing).rejects.toThrow("mine");
  expect(existsSync(join(data.run, "services.lock"))).toBe(false);
});
