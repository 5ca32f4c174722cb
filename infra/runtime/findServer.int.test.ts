import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findServer } from "./findServer.ts";

let folder: string;
let nowhere: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "connect-hub-find-"));
  // A cache that can't be made stands for a machine without network.
  nowhere = join(folder, "file", "cache");
  writeFileSync(join(folder, "file"), "");
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A folder for a search path with programs that only tell a version. */
function programs(name: string, versions: Readonly<Record<string, string>>): string {
  const path = join(folder, name);
  mkdirSync(path);
  for (const [program, says] of Object.entries(versions)) {
    writeFileSync(join(path, program), `#!/bin/sh\necho "${says}"\n`);
    chmodSync(join(path, program), 0o755);
  }
  return path;
}

describe("on the search path", () => {
  test("a good enough server is taken", async () => {
    const searchPath = programs("good", { "nats-server": "nats-server: v2.12.0" });
    const found = await findServer("nats", { searchPath, cacheFolder: nowhere });
    expect(found).toMatchObject({ source: "path", version: "2.12.0", binary: join(searchPath, "nats-server") });
  });

  test("an old one is passed over for a newer one further on", async () => {
    const old = programs("old-redis", { "redis-server": "Redis server v=6.2.1 sha=0" });
    const newer = programs("new-valkey", { "valkey-server": "Valkey server v=8.1.1 sha=0" });
    const found = await findServer("valkey", { searchPath: `${old}:${newer}`, cacheFolder: nowhere });
    expect(found).toMatchObject({ source: "path", version: "8.1.1" });
  });

  test("a postgres without initdb beside it doesn't count", async () => {
    const searchPath = programs("no-initdb", { postgres: "postgres (PostgreSQL) 99.1" });
    expect(await findServer("postgres", { searchPath })).not.toMatchObject({ version: "99.1" });
  });
});

describe("a private copy", () => {
  test("is used when what is installed is too old", async () => {
    const searchPath = programs("old-nats", { "nats-server": "nats-server: v2.9.10" });
    const found = await findServer("nats", { searchPath });
    expect(found.source).toBe("private");
    expect(found.binary).not.toContain(searchPath);
  });

  test("is used whatever is installed, when asked for", async () => {
    const searchPath = programs("ignored", { "nats-server": "nats-server: v99.0.0" });
    expect(await findServer("nats", { searchPath, privateOnly: true })).toMatchObject({ source: "private" });
    expect(await findServer("postgres", { privateOnly: true })).toMatchObject({ source: "private", kind: "postgres" });
  });

  test("of PostgreSQL is refused when the data are another major version's", async () => {
    const finding = findServer("postgres", { privateOnly: true, major: "12" });
    await expect(finding).rejects.toMatchObject({
      code: "ServerNotFound",
      message: expect.stringContaining("12 (the data"),
    });
  });
});

describe("when nothing can be had", () => {
  test("the error names the command that installs one, and the variable", async () => {
    const finding = findServer("valkey", { searchPath: folder, cacheFolder: nowhere });
    await expect(finding).rejects.toMatchObject({
      code: "ServerNotFound",
      message: expect.stringMatching(/(apt-get|brew) install valkey.*HUB_VALKEY_URL/),
    });
  });

  test("the error names what is too old", async () => {
    const searchPath = programs("only-old", { "nats-server": "nats-server: v2.9.10" });
    await expect(findServer("nats", { searchPath, cacheFolder: nowhere })).rejects.toMatchObject({
      code: "ServerTooOld",
      message: expect.stringMatching(/2\.12 or newer.*only-old\/nats-server is 2\.9\.10.*install nats-server/),
    });
  });
});
