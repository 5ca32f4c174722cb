import { expect, test, vi } from "vitest";
import { runCli } from "../cli.ts";

/** What `hub` prints, without any box. */
async function printed(...args: string[]): Promise<string> {
  const log = vi.spyOn(console, "log").mockReturnValue();
  try {
    expect(await runCli(args, {})).toBe(0);
    return log.mock.calls.flat().join("\n");
  } finally {
    log.mockRestore();
  }
}

test("it prints every stored version, for people and for programs", async () => {
  const lines = (await printed("events", "types")).split("\n");
  const old = lines.find((line) => line.includes("MessageEdited.v1"));
  expect(old).toContain("read as MessageEdited.v2");
  expect(old).toContain("message edits body*");
  const all = JSON.parse(await printed("events", "types", "--json")) as { type: string; data: object }[];
  expect(all.find(({ type }) => type === "EpochBegan.v1")).toMatchObject({ context: "all", sealed: [] });
  expect(lines.filter((line) => /[.]v\d/.test(line))).toHaveLength(all.length);
});
