import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { StoredCommit } from "@connect-hub/domain/kernel";
import { golden } from "@connect-hub/domain/testing";
import { afterAll, expect, test, vi } from "vitest";
import { commitInFile, readArchiveFile, writeArchiveFile } from "./archiveFile.ts";

const folder = mkdtempSync(join(tmpdir(), "connect-hub-archive-"));
afterAll(() => rmSync(folder, { recursive: true }));

async function* batches(commits: readonly StoredCommit[], size = 100): AsyncGenerator<readonly StoredCommit[]> {
  for (let at = 0; at < commits.length; at += size) yield commits.slice(at, at + size);
}

const commitsOf = (texts: readonly string[], first = 1): StoredCommit[] =>
  texts.map((text, at) => ({ n: first + at, bytes: Buffer.from(text) }));

test("a file is records and where they begin, byte by byte", async () => {
  const file = await writeArchiveFile(folder, "abc.commits", batches(commitsOf(["a", "b", "c"])));
  expect(readFileSync(join(folder, file.name)).toString("hex")).toBe(golden("archive of a, b, c"));
  expect(file).toMatchObject({ size: 23, sha256: "46420f585121cc6f7a933ab3269dedec9a0623d43a4b6b66bf7a44ed40693806" });
});

test("it is read from any commit on, and one by one", async () => {
  const texts = Array.from({ length: 1_000 }, (_, at) => `commit ${at + 7} ${"x".repeat(at % 50)}`);
  const range = { first: 7, last: 1_006 };
  const file = await writeArchiveFile(folder, "long.commits", batches(commitsOf(texts, 7)));
  for (const from of [7, 8, 262, 263, 264, 519, 1_006]) {
    const read: StoredCommit[] = [];
    for await (const batch of readArchiveFile(folder, file, range, from)) read.push(...batch);
    expect(read.map(({ n, bytes }) => [n, Buffer.from(bytes).toString()])).toEqual(
      texts.slice(from - 7).map((text, at) => [from + at, text]),
    );
    expect(Buffer.from(await commitInFile(folder, file, range, from)).toString()).toBe(texts[from - 7]);
  }
});

test("the folders that were made for it are durable with it, up to the first that was there", async () => {
  const made = join(folder, "a", "b");
  const inodes = [made, join(folder, "a"), folder];
  const handle = await open(folder, "r");
  const synced: number[] = [];
  const sync = vi.spyOn(Object.getPrototypeOf(handle), "sync").mockImplementation(async function (this: FileHandle) {
    synced.push((await this.stat()).ino);
  });
  await handle.close();
  // As the command does that looks for room on the disk before.
  mkdirSync(made, { recursive: true });
  await writeArchiveFile(made, "deep.commits", batches(commitsOf(["a"])));
  sync.mockRestore();
  expect(synced).toEqual(expect.arrayContaining(inodes.map((path) => statSync(path).ino)));
});

test("one that breaks off leaves nothing, and what is there already stays until the new one is whole", async () => {
  writeFileSync(join(folder, "kept.commits"), "old");
  async function* broken(): AsyncGenerator<readonly StoredCommit[]> {
    yield commitsOf(["a"]);
    throw new Error("the log went away");
  }
  await expect(writeArchiveFile(folder, "kept.commits", broken())).rejects.toThrow("the log went away");
  expect(readFileSync(join(folder, "kept.commits"), "utf8")).toBe("old");
  expect(readdirSync(folder).filter((name) => name.endsWith(".partial"))).toEqual([]);
});
