import { createCipheriv, createHash, randomBytes } from "node:crypto";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { contentModel } from "@connect-hub/domain/content";
import { encodeEpochBegan, hashCommit } from "@connect-hub/domain/kernel";
import { roomModel } from "@connect-hub/domain/room";
import {
  LogBuilder,
  type MemoryLane,
  memoryLane,
  memoryVault,
  RoomTalk,
  seededRandom,
} from "@connect-hub/domain/testing";
import { readRootKey } from "@connect-hub/vault";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { checkBackup } from "./checkBackup.ts";
import { BackupFailed, BackupUnsound, type FileProblem } from "./errors.ts";
import { blobFile, encodeManifest, readManifest } from "./manifest.ts";
import { type BackupSources, takeBackup } from "./takeBackup.ts";

const signal = new AbortController().signal;
const bytes = {
  here: Buffer.from("bytes that are here"),
  moved: Buffer.from("bytes on a node"),
  other: Buffer.from("?"),
};
const hashOf = (content: Uint8Array) => createHash("sha256").update(content).digest("hex");
let root: string;
let sources: BackupSources;
const at = (name: string) => join(root, name);

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "connect-hub-backup-"));
  writeFileSync(at("root.key"), `${"ab".repeat(32)}\n`, { mode: 0o600 });
  writeFileSync(at("ssh-key"), "the key of the box\n", { mode: 0o600 });
  for (const content of [bytes.here, bytes.other]) put(at("content"), content);
  const lanes = [await roomLane(), await contentLane()];
  sources = {
    lanes: lanes.map((lane) => ({ lane, bytes: 1_000, reacted: async () => 3 })),
    vault: { db: { query: async (_, values) => ({ rows: keysAfter(String(values?.[0])) }) }, rootFile: at("root.key") },
    contentDir: at("content"),
    sshKey: at("ssh-key"),
    signingKey: at("no signing key"),
    configuration: { roomLanes: 1, laneBytes: 1_000_000, prefix: "" },
  };
  await takeBackup(at("whole"), sources, { signal });
});
afterAll(() => rmSync(root, { recursive: true }));

function put(folder: string, content: Uint8Array): void {
  const path = join(folder, blobFile(hashOf(content)));
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
}

/** A lane that was restored once: two epochs. */
async function roomLane(): Promise<MemoryLane> {
  const [first, second] = ["a".repeat(32), "b".repeat(32)];
  const lane = memoryLane({ id: "rooms.0", epoch: second });
  const log = new LogBuilder({ lane: "rooms.0", epoch: first, model: roomModel, vault: memoryVault() });
  const talk = new RoomTalk(seededRandom(7));
  for (let n = 1; n <= 30; n++) {
    lane.appendForeign(await log.commit([[n === 1 ? talk.create("r", ["ann", "bob"]) : talk.next("r")]]));
  }
  const hash = hashCommit(lane.commits.at(-1)?.bytes ?? new Uint8Array());
  const end = {
    lane: "rooms.0",
    n: 30,
    hash,
    epoch: first,
    term: 1,
    nowMs: Date.parse("2026-02-01T00:00:00Z"),
  } as const;
  lane.appendForeign(encodeEpochBegan(end, second, randomBytes(16)));
  return lane;
}

/** Two blobs, of which one was moved to a node; `isKept`: then an upload brought it again. */
async function contentLane({ isKept = false } = {}): Promise<MemoryLane> {
  const lane = memoryLane({ id: "content.0", epoch: "c".repeat(32) });
  const log = new LogBuilder({ lane: "content.0", epoch: "c".repeat(32), model: contentModel, vault: memoryVault() });
  const claimed = (id: string, content: Uint8Array) => ({
    type: "FileClaimed.v1",
    subject: { kind: "file" as const, id },
    by: "ann",
    data: {
      ...{ owner: "ann", room: "r", hash: hashOf(content), size: content.length, type: "text/plain", chunks: "" },
      ...{ source: null, personal: { name: id } },
    },
  });
  const moved = { kind: "blob" as const, id: hashOf(bytes.moved) };
  const replica = { node: "node-1", name: "name-there", size: bytes.moved.length };
  lane.appendForeign(await log.commit([[claimed("f1", bytes.here)], [claimed("f2", bytes.moved)]]));
  lane.appendForeign(
    await log.commit([
      [{ type: "ReplicaVerified.v1", subject: moved, by: "placement", data: replica }],
      [{ type: "LocalCopyDropped.v1", subject: moved, by: "placement", data: {} }],
    ]),
  );
  const kept = { type: "LocalCopyKept.v1", subject: moved, by: "ann", data: {} };
  if (isKept) lane.appendForeign(await log.commit([[kept]]));
  return lane;
}

/** Three keys as the vault's table gives them. */
function keysAfter(after: string): object[] {
  const rootKey = readRootKey(at("root.key"));
  const ids = ["1", "2", "3"].map((digit) => `0000000${digit}-0000-4000-8000-000000000000`);
  return ids
    .filter((id) => id > after)
    .map((id) => {
      const nonce = randomBytes(12);
      const cipher = createCipheriv("aes-256-gcm", rootKey?.bytes ?? "", nonce).setAAD(Buffer.from(id));
      const wrapped = Buffer.concat([nonce, cipher.update(randomBytes(32)), cipher.final(), cipher.getAuthTag()]);
      const row = { id, name: `key ${id}`, root: rootKey?.id, createdAt: "2026-01-01T00:00:00.000Z" };
      return { ...row, wrapped: wrapped.toString("base64") };
    });
}

function filesIn(folder: string): string[] {
  const found = readdirSync(folder, { withFileTypes: true, recursive: true }).filter((entry) => entry.isFile());
  return found.map(({ parentPath, name }) => relative(folder, join(parentPath, name))).sort();
}

describe("a backup", () => {
  test("holds the lanes, the keys, the bytes that the log promises here, and says where the others are", async () => {
    const { manifest, ends } = await checkBackup(at("whole"), { signal });
    expect(filesIn(at("whole"))).toEqual([
      blobFile(hashOf(bytes.here)),
      "lanes/content.0.commits",
      "lanes/rooms.0.commits",
      "manifest.json",
      "manifest.sha256",
      "secrets/placement-ssh-key",
      "vault/keys.jsonl",
      "vault/root",
    ]);
    expect(manifest.lanes).toMatchObject([
      { lane: "rooms.0", n: 31, epoch: "b".repeat(32), reacted: 3 },
      { lane: "content.0", n: 2, reacted: 2 },
    ]);
    expect(ends.get("rooms.0")).toEqual({ term: 2, at: "2026-02-01T00:00:00.000Z" });
    const nodes = [{ node: "node-1", name: "name-there" }];
    expect(manifest.elsewhere).toEqual([{ hash: hashOf(bytes.moved), size: bytes.moved.length, nodes }]);
    expect(manifest.vault.keys).toBe(3);
  });

  test("is taken also when bytes that the log promises here are on a node alone", async () => {
    const lane = await contentLane({ isKept: true });
    const lanes = [...sources.lanes.slice(0, 1), { lane, bytes: 1_000, reacted: async () => 3 }];
    const { elsewhere } = await takeBackup(at("kept"), { ...sources, lanes }, { signal });
    expect(elsewhere).toMatchObject([{ hash: hashOf(bytes.moved), nodes: [{ node: "node-1" }] }]);
    rmSync(at("kept"), { recursive: true });
  });

  test("is for its owner alone", () => {
    expect(statSync(at("whole")).mode & 0o077).toBe(0);
    for (const file of filesIn(at("whole")).filter((path) => !path.startsWith("blobs/"))) {
      expect(statSync(join(at("whole"), file)).mode & 0o077).toBe(0);
    }
  });

  test("is taken to a new folder only, and leaves nothing when it fails", async () => {
    await expect(takeBackup(at("whole"), sources, { signal })).rejects.toThrow(BackupFailed);
    const tooMuch = { ...sources, lanes: sources.lanes.map((lane) => ({ ...lane, bytes: 2 ** 60 })) };
    await expect(takeBackup(at("large"), tooMuch, { signal })).rejects.toThrow("free");
    const lost = { ...sources, contentDir: at("nothing") };
    await expect(takeBackup(at("lost"), lost, { signal })).rejects.toThrow(hashOf(bytes.here));
    const stopped = AbortSignal.abort(new Error("stopped"));
    await expect(takeBackup(at("stopped"), sources, { signal: stopped })).rejects.toThrow("stopped");
    expect(readdirSync(root).sort()).toEqual(["content", "root.key", "ssh-key", "whole"]);
  });

  test("takes the place of what a killed attempt left, and of nothing else", async () => {
    mkdirSync(at("again.partial/lanes"), { recursive: true });
    await takeBackup(at("again"), sources, { signal });
    rmSync(at("again"), { recursive: true });
    mkdirSync(at("again.partial/my-diary"), { recursive: true });
    await expect(takeBackup(at("again"), sources, { signal })).rejects.toThrow("my-diary");
    rmSync(at("again.partial"), { recursive: true });
  });
});

describe("a backup that was altered", () => {
  const problemOf = async (spoil: (path: string) => void): Promise<[string, FileProblem]> => {
    renameSync(at("whole"), at("spoiled"));
    const kept = new Map(filesIn(at("spoiled")).map((file) => [file, readFileSync(join(at("spoiled"), file))]));
    spoil(at("spoiled"));
    const checking = checkBackup(at("spoiled"), { signal });
    const error = await checking.catch((caught: unknown) => caught);
    for (const [file, content] of kept) writeFileSync(join(at("spoiled"), file), content, { mode: 0o600 });
    renameSync(at("spoiled"), at("whole"));
    if (!(error instanceof BackupUnsound)) throw new Error("it was taken for whole", { cause: error });
    expect(error.message).toContain(error.file);
    return [error.file, error.problem];
  };

  const files = [
    ["blob", "blobs"],
    ["lane", "lanes/rooms.0.commits"],
    ["manifest", "manifest.json"],
    ["keys", "vault/keys.jsonl"],
    ["root", "vault/root"],
    ["ssh key", "secrets/placement-ssh-key"],
  ] as const;
  const named = (file: string) => (file === "blobs" ? blobFile(hashOf(bytes.here)) : file);

  test.each(files)("is refused without its %s, by name", async (_, file) => {
    expect(await problemOf((folder) => rmSync(join(folder, named(file))))).toEqual([named(file), "missing"]);
  });

  test.each(files)("is refused with its %s cut off, by name", async (_, file) => {
    const [found] = await problemOf((folder) => {
      const path = join(folder, named(file));
      truncateSync(path, statSync(path).size - 1);
    });
    expect(found).toBe(named(file));
  });

  test.each(files)("is refused with one bit of its %s flipped, wherever it is, by name", async (_, file) => {
    const { size } = statSync(join(at("whole"), named(file)));
    for (let place = 0; place < size; place += Math.max(1, Math.floor(size / 25))) {
      const [found] = await problemOf((folder) => {
        const path = join(folder, named(file));
        const content = readFileSync(path);
        content[place] = (content[place] ?? 0) ^ 4;
        writeFileSync(path, content);
      });
      expect(found).toBe(named(file));
    }
  });

  const rewrite = (folder: string, change: (manifest: object) => object): void => {
    const changed = change(JSON.parse(readFileSync(join(folder, "manifest.json"), "utf8")));
    const { text, hashText } = encodeManifest(changed as never);
    writeFileSync(join(folder, "manifest.json"), text);
    writeFileSync(join(folder, "manifest.sha256"), hashText);
  };

  test("is refused when it is of a later version", async () => {
    const spoil = (folder: string) => rewrite(folder, (manifest) => ({ ...manifest, format: 2 }));
    expect(await problemOf(spoil)).toEqual(["manifest.json", "unknown version"]);
  });

  test("is refused when its manifest names a path outside of it", async () => {
    const files = [{ path: "../root.key", size: 65, sha256: "0".repeat(64) }];
    const [found] = await problemOf((folder) => rewrite(folder, (manifest) => ({ ...manifest, files })));
    expect(found).toBe("manifest.json");
  });

  test("is refused when its chain ends elsewhere than the manifest says", async () => {
    const { manifest } = await readManifest(at("whole"));
    const lanes = manifest.lanes.map((lane) => ({ ...lane, n: 30 }));
    const spoil = (folder: string) => rewrite(folder, (one) => ({ ...one, lanes }));
    expect(await problemOf(spoil)).toEqual(["lanes/rooms.0.commits", "broken chain"]);
  });

  test("is refused when another root key lies in it", async () => {
    const other = `${"cd".repeat(32)}\n`;
    const spoil = (folder: string) => {
      writeFileSync(join(folder, "vault/root"), other);
      rewrite(folder, (manifest) => {
        const entries = (manifest as { files: { path: string; sha256: string }[] }).files;
        const files = entries.map((entry) =>
          entry.path === "vault/root" ? { ...entry, sha256: hashOf(Buffer.from(other)) } : entry,
        );
        return { ...manifest, files };
      });
    };
    expect(await problemOf(spoil)).toEqual(["vault/keys.jsonl", "wrong keys"]);
  });
});
