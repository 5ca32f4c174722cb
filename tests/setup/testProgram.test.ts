import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { findTestProgram, type WantedProgram } from "./testProgram.ts";

const wanted: WantedProgram = {
  names: ["hub-reader", "hub-old-reader"],
  packages: ["hub-reader"],
  binary: "usr/bin/hub-reader",
  versionFlag: "--version",
  install: "apt-get install hub-reader",
};

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "connect-hub-program-"));
});
afterEach(() => vi.unstubAllEnvs());
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("the best of the names that are on PATH is taken", async () => {
  for (const name of wanted.names) writeFileSync(join(folder, name), "");
  vi.stubEnv("PATH", `/nowhere:${folder}`);
  expect(await findTestProgram(wanted)).toEqual({ path: join(folder, "hub-reader"), env: {} });
});

test("where there is none and none can be fetched, the error names the command that installs one", async () => {
  writeFileSync(join(folder, "file"), "");
  // A cache that can't be made stands for a machine without network.
  vi.stubEnv("HUB_CACHE", join(folder, "file/cache"));
  vi.stubEnv("PATH", "/nowhere");
  await expect(findTestProgram(wanted)).rejects.toThrow(
    "This test needs hub-reader, and it could not be fetched. Install one: apt-get install hub-reader",
  );
});
