import { describe, expect, test } from "vitest";
import type { Command, Decision } from "../kernel/command.ts";
import type { DomainEvent, Subject } from "../kernel/event.ts";
import { decideOver } from "../testing/scenario.ts";
import type { JsonObject } from "../values/json.ts";
import { limits } from "../values/limits.ts";
import { contentCommands, serviceCommands } from "./commands.ts";
import { contentModel } from "./events.ts";

const [ana, bob] = ["00000000-0000-4000-8000-00000000000a", "00000000-0000-4000-8000-00000000000b"] as const;
const [room, den] = ["00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002"] as const;
const [file, copy] = ["00000000-0000-7000-8000-0000000000f1", "00000000-0000-7000-8000-0000000000f2"] as const;
const [nodeA, nodeB] = ["00000000-0000-7000-8000-0000000000d1", "00000000-0000-7000-8000-0000000000d2"] as const;
const hash = "ab".repeat(32);
const bytes = { hash, size: 12, type: "text/plain" };
const chunks = "A".repeat(43);

type Kind = keyof typeof contentCommands;
const by = (actor: string, kind: Kind, subject: string, data: JsonObject, meta: JsonObject = {}): Command => ({
  key: { actor, id: "0192f0c4-8e00-7000-8000-000000000001" },
  kind,
  subject,
  data,
  deadlineAt: 0,
  meta,
});
const event = (type: string, kind: Subject["kind"], id: string, data: JsonObject, actor: string): DomainEvent => ({
  type,
  subject: { kind, id },
  by: actor,
  data,
});
const claimed = (id: string = file, more: JsonObject = {}, actor: string = ana) =>
  event(
    "FileClaimed.v1",
    "file",
    id,
    { owner: actor, room, ...bytes, chunks, source: null, body: { name: "a.txt" }, ...more },
    actor,
  );
const posted = event("FilePosted.v1", "file", file, { room, s: 2 }, "system");
const released = (reason: string) => event("FileReleased.v1", "file", file, { room, hash, reason }, "system");
const dropped = event("LocalCopyDropped.v1", "blob", hash, {}, "placement");
const nodeData = { name: "attic", host: "10.0.0.7", port: 22, user: "hub", path: "/data", hostKey: `SHA256:${chunks}` };
const node = event("NodeAdded.v1", "node", nodeA, nodeData, "operator");
const replica = event("ReplicaVerified.v1", "blob", hash, { node: nodeA, name: "x1", size: 12 }, "placement");

function decide(command: Command, given: readonly DomainEvent[] = []): Decision {
  return decideOver(contentModel, "content.0", contentCommands[command.kind as Kind], command, { given });
}
const refusal = (code: string) => ({ refused: expect.objectContaining({ code }) });
const nothing = { events: [], result: {} };

describe("claimFile", () => {
  const data = { room, name: "a.txt", ...bytes, chunks };
  const told = { file, type: "text/plain", size: 12, hash };

  test("records the file and its bytes, and tells what was recorded", () => {
    expect(decide(by(ana, "claimFile", file, data))).toEqual({ events: [claimed()], result: told });
  });

  test("of bytes that are there already does not say again what they are made of", () => {
    const again = claimed(copy, { chunks: "" }, bob);
    expect(decide(by(bob, "claimFile", copy, data), [claimed()])).toMatchObject({ events: [again] });
  });

  test("brings back bytes that the server's disk promised no longer", () => {
    const kept = event("LocalCopyKept.v1", "blob", hash, {}, bob);
    const decision = decide(by(bob, "claimFile", copy, data), [claimed(), dropped]);
    expect(decision).toMatchObject({ events: [{ type: "FileClaimed.v1" }, kept] });
  });

  test("of the same hash and another size is refused", () => {
    expect(decide(by(bob, "claimFile", copy, { ...data, size: 13 }), [claimed()])).toEqual(refusal("BadInput"));
  });

  const takes = (more: JsonObject) => contentCommands.claimFile.input.safeParse({ ...data, ...more }).success;
  const piecesOf = (count: number) => "A".repeat(Math.ceil((count * 32 * 8) / 6));
  const mebi = 1024 * 1024;

  test("takes one hash for each MiB, the last one begun", () => {
    const sizes: [number, number][] = [
      [0, 0],
      [1, 1],
      [mebi, 1],
      [mebi + 1, 2],
      [limits.fileBytes, limits.fileBytes / mebi],
    ];
    for (const [size, count] of sizes) {
      expect(takes({ size, chunks: piecesOf(count) }), `${size}`).toBe(true);
      expect(takes({ size, chunks: piecesOf(count + 1) }), `${size}`).toBe(false);
    }
    expect(takes({ chunks: `${chunks.slice(1)}=` })).toBe(false);
  });

  test.each([
    ["no size below 0", { size: -1, chunks: "" }],
    ["no file larger than the largest", { size: limits.fileBytes + 1, chunks: piecesOf(1025) }],
    ["no hash of another kind", { hash: hash.toUpperCase() }],
    ["no name that is empty", { name: "" }],
    ["no name that is too long", { name: "n".repeat(limits.fileNameLength + 1) }],
    ["no name that a store can't hold", { name: "a\u0000" }],
    ["no type that is none", { type: "text" }],
    ["no type that breaks a header", { type: "text/plain\r\nx: y" }],
    ["no type that is too long", { type: `text/${"x".repeat(123)}` }],
    ["nothing that was not asked for", { owner: bob }],
  ])("takes %s", (_what, more) => {
    expect(takes(more)).toBe(false);
  });
});

describe("forwardFile", () => {
  const forward = by(bob, "forwardFile", copy, { file, room: den }, { mayRead: true });
  const forwarded = claimed(copy, { room: den, chunks: "", source: file }, bob);
  const told = { file: copy, type: "text/plain", size: 12, hash };

  test("makes a new file on the same bytes, under the new owner and room", () => {
    expect(decide(forward, [claimed(), posted])).toEqual({ events: [forwarded], result: told });
  });

  test("a file whose name was erased is called file", () => {
    const forwardedAs = { data: { body: { name: "file" } } };
    expect(decide(forward, [claimed(file, { body: null })])).toMatchObject({ events: [forwardedAs] });
  });

  test("what is missing, released or not to be read is one answer", () => {
    expect(decide(forward)).toEqual({ refused: { code: "FileNotFound" } });
    expect(decide(forward, [claimed(), released("deleted")])).toEqual({ refused: { code: "FileNotFound" } });
    for (const meta of [{}, { mayRead: false }, { mayRead: "true" }]) {
      expect(decide({ ...forward, meta }, [claimed(), posted])).toEqual({ refused: { code: "FileNotFound" } });
    }
  });
});

describe("a file and its message", () => {
  const confirm = by("system", "confirmFile", file, { file, room, s: 2 });
  const release = (reason: string) => by("system", "releaseFile", file, { file, reason });

  test("a claimed file is posted, once", () => {
    expect(decide(confirm, [claimed()])).toEqual({ events: [posted], result: {} });
    expect(decide(confirm, [claimed(), posted])).toEqual(nothing);
  });

  test("a file is released, once, whether it was confirmed before or not", () => {
    expect(decide(release("deleted"), [claimed(), posted])).toEqual({ events: [released("deleted")], result: {} });
    expect(decide(release("expired"), [claimed()])).toEqual({ events: [released("expired")], result: {} });
    expect(decide(release("deleted"), [claimed(), released("expired")])).toEqual(nothing);
  });

  test("a released file never comes back", () => {
    expect(decide(confirm, [claimed(), released("deleted")])).toEqual(nothing);
  });

  test("a file that nobody knows is no one's", () => {
    expect(decide(confirm)).toEqual(nothing);
    expect(decide(release("deleted"))).toEqual(nothing);
  });
});

describe("reportPressure", () => {
  const report = (level: string) => by("placement", "reportPressure", "local", { level, used: 8, budget: 10 });
  const pressure = (what: string, level: string) =>
    event(`DiskPressure${what}.v1`, "store", "local", { level, used: 8, budget: 10 }, "placement");

  test("says when the disk got fuller or emptier, and nothing when it did not", () => {
    const [copyLevel, drop] = [pressure("Raised", "copy"), pressure("Raised", "drop")];
    expect(decide(report("copy"))).toEqual({ events: [copyLevel], result: {} });
    expect(decide(report("drop"), [copyLevel])).toEqual({ events: [drop], result: {} });
    expect(decide(report("drop"), [copyLevel, drop])).toEqual(nothing);
    expect(decide(report("copy"), [drop])).toEqual({ events: [pressure("Cleared", "copy")], result: {} });
    expect(decide(report("none"), [drop])).toEqual({ events: [pressure("Cleared", "none")], result: {} });
    expect(decide(report("none"))).toEqual(nothing);
  });
});

describe("addNode", () => {
  test("registers a node under a name of its own", () => {
    expect(decide(by("operator", "addNode", nodeA, nodeData))).toEqual({ events: [node], result: { node: nodeA } });
    expect(decide(by("operator", "addNode", nodeB, nodeData), [node])).toEqual(refusal("NodeExists"));
    const renamed = { ...nodeData, name: "cellar" };
    expect(decide(by("operator", "addNode", nodeA, renamed), [node])).toEqual(refusal("NodeExists"));
    expect(decide(by("operator", "addNode", nodeB, renamed), [node])).toMatchObject({ result: { node: nodeB } });
  });

  test.each([{ name: "A b" }, { port: 0 }, { port: 65_536 }, { host: "" }, { path: "" }, { hostKey: "SHA256:x" }])(
    "takes no %j",
    (more) => {
      const { input } = contentCommands.addNode;
      expect(input.safeParse(nodeData).success).toBe(true);
      expect(input.safeParse({ ...nodeData, ...more }).success).toBe(false);
    },
  );
});

describe("recordReplica", () => {
  const record = by("placement", "recordReplica", hash, { hash, node: nodeA, name: "x1", size: 12 });

  test("counts a node's copy once", () => {
    expect(decide(record, [claimed(), node])).toEqual({ events: [replica], result: {} });
    expect(decide(record, [claimed(), node, replica])).toEqual(nothing);
  });

  test("of bytes or on a node that nobody knows is refused", () => {
    expect(decide(record, [node])).toEqual(refusal("BlobNotFound"));
    expect(decide(record, [claimed()])).toEqual(refusal("NodeNotFound"));
  });
});

describe("dropLocal", () => {
  const drop = (minReplicas: number) => by("placement", "dropLocal", hash, { hash, minReplicas });

  test("is allowed when enough nodes have the bytes, and never without any", () => {
    expect(decide(drop(1), [claimed(), node, replica])).toEqual({ events: [dropped], result: {} });
    expect(decide(drop(2), [claimed(), node, replica])).toEqual(refusal("NotEnoughReplicas"));
    expect(decide(drop(1), [claimed()])).toEqual(refusal("NotEnoughReplicas"));
    expect(decide(drop(1))).toEqual(refusal("BlobNotFound"));
    expect(contentCommands.dropLocal.input.safeParse({ hash, minReplicas: 0 }).success).toBe(false);
  });

  test("twice is once", () => {
    expect(decide(drop(1), [claimed(), node, replica, dropped])).toEqual(nothing);
  });
});

test("what services may send are commands of this lane", () => {
  expect([...serviceCommands.keys()]).toEqual(["placement", "operator"]);
  for (const kinds of serviceCommands.values()) for (const kind of kinds) expect(contentCommands).toHaveProperty(kind);
});
