import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type Acknowledged, openJournal, readJournal } from "./journal.ts";

test("what was added is read back, in order", async () => {
  const folder = mkdtempSync(join(tmpdir(), "journal-"));
  const file = join(folder, "journal.jsonl");
  const entry = (s: number): Acknowledged => {
    return { key: `k${s}`, by: "a", method: "postMessage", data: { text: "line\n" }, room: "r", s };
  };
  const journal = openJournal(file);
  await Promise.all([1, 2, 3].map((s) => journal.add(entry(s))));
  await journal.add(entry(4));
  journal.close();
  expect(readJournal(file)).toEqual([1, 2, 3, 4].map(entry));
  rmSync(folder, { recursive: true });
});
