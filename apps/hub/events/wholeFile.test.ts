import { execFileSync } from "node:child_process";
import { lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { FileNotWritten, writeWholeFile } from "./wholeFile.ts";

test("a file is there whole, or as it was before", async () => {
  const folder = mkdtempSync(join(tmpdir(), "connect-hub-whole-"));
  try {
    const path = join(folder, "events.jsonl");
    writeFileSync(path, "old");
    const broken = writeWholeFile(path, async (write) => {
      await write("new");
      throw new Error("the log is away");
    });
    await expect(broken).rejects.toThrow("the log is away");
    expect([readFileSync(path, "utf8"), readdirSync(folder)]).toEqual(["old", ["events.jsonl"]]);
    await writeWholeFile(path, async (write) => {
      for (let line = 0; line < 300_000; line++) await write("0123456789\n");
    });
    expect([readFileSync(path).byteLength, readdirSync(folder)]).toEqual([3_300_000, ["events.jsonl"]]);
    await expect(writeWholeFile(join(path, "below"), async () => {})).rejects.toThrow(FileNotWritten);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("a link stays a link, and only a file is ever replaced", async () => {
  const folder = mkdtempSync(join(tmpdir(), "connect-hub-whole-"));
  try {
    const [file, link, pipe] = ["file", "link", "pipe"].map((name) => join(folder, name)) as [string, string, string];
    writeFileSync(file, "old");
    symlinkSync(file, link);
    await writeWholeFile(link, (write) => write("new"));
    expect([lstatSync(link).isSymbolicLink(), readFileSync(file, "utf8")]).toEqual([true, "new"]);
    execFileSync("mkfifo", [pipe]);
    for (const [path, what] of [
      [pipe, "a device or a pipe"],
      [folder, "a folder"],
    ] as const)
      await expect(writeWholeFile(path, (write) => write("new"))).rejects.toThrow(what);
    expect([lstatSync(pipe).isFIFO(), readdirSync(folder).sort()]).toEqual([true, ["file", "link", "pipe"]]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

/** A folder on a disk of 1 MiB; undefined where one can't be made. */
function smallDisk(): string | undefined {
  const folder = mkdtempSync(join(tmpdir(), "connect-hub-small-"));
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=1m", "none", folder], { stdio: "ignore" });
    return folder;
  } catch {
    rmSync(folder, { recursive: true });
    return undefined;
  }
}

test("a disk that fills up is said so, and has as much space as before", async ({ skip }) => {
  const folder = smallDisk();
  if (folder === undefined) return skip("this user can't make a small disk");
  try {
    const writing = writeWholeFile(join(folder, "events.jsonl"), async (write) => {
      for (let line = 0; line < 300_000; line++) await write("0123456789\n");
    });
    await expect(writing).rejects.toThrow(
      "the disk is full: make room, or name a file on another disk. Nothing is left",
    );
    expect(readdirSync(folder)).toEqual([]);
  } finally {
    execFileSync("umount", ["-l", folder]);
    rmSync(folder, { recursive: true });
  }
});
