import { spawnSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { MerkleTree, type SignedHead, signHead, signingKeyOf } from "@connect-hub/domain/kernel";
import { openPool } from "@connect-hub/postgres";
import { readOrMakeSigningKey } from "@connect-hub/runtime";
import { afterAll, beforeAll, expect, inject, test, vi } from "vitest";
import { writeConnections } from "../../apps/hub/box/connections.ts";
import { exitCodes } from "../../apps/hub/exitCodes.ts";
import { type BareSocket, bareSocket, newKey } from "../support/bareSocket.ts";
import { type ChatUnderTest, chatUnderTest, type Person, type StartedEdge } from "../support/chat.ts";
import { runHub } from "../support/runHub.ts";

// What the log proves of itself, from the outside: a box at work whose heads are signed all the time.

let dataDir: string;
let chat: ChatUnderTest;
let room: string;
let publicKey: string;
let socket: BareSocket;
let edge: StartedEdge;
let ada: Person;

beforeAll(async () => {
  dataDir = mkdtempSync(join(tmpdir(), "connect-hub-proof-"));
  mkdirSync(join(dataDir, "run"));
  const signingKey = join(dataDir, "signing-key");
  publicKey = signingKeyOf(readOrMakeSigningKey(signingKey)).publicKey;
  const servers = { natsUrl: inject("natsUrl"), postgresUrl: inject("postgresUrl"), valkeyUrl: inject("valkeyUrl") };
  chat = await chatUnderTest(servers);
  Object.assign(chat.box.env, { HUB_SIGNING_KEY: signingKey, HUB_HEADS_MS: "100" });
  const { databaseUrl, prefix, env } = chat.box;
  const urls = { authUrl: databaseUrl, chatUrl: databaseUrl, contentUrl: databaseUrl, vaultUrl: databaseUrl };
  const unused = { valkeyUrl: "redis://127.0.0.1:1", host: "127.0.0.1", port: 1, laneBytes: 1 };
  writeConnections(dataDir, {
    ...urls,
    ...unused,
    ...{ natsUrl: servers.natsUrl, natsLogins: {}, prefix, roomLanes: 1, signingKey },
    vaultRoot: String(env.HUB_VAULT_ROOT),
    content: { dir: join(dataDir, "content"), bytes: null, reserveBytes: null },
    placement: { url: "http://127.0.0.1:1", secret: "", key: "", publicKey: "" },
  });
  await chat.startCommands();
  await chat.startProjector();
  edge = await chat.startEdge();
  ada = await chat.person(edge, "ada");
  socket = await bareSocket(edge.url, ada.session.token);
  room = (await ask("createRoom", { name: "Engine" })).room;
  for (let k = 1; k <= 5; k++) await ask("postMessage", { room, text: `number ${k}` });
});
afterAll(async () => {
  socket?.close();
  await chat?.close();
  rmSync(dataDir, { recursive: true });
});

const ask = async (m: string, d: object): Promise<{ room: string }> => {
  const { ok, err } = await socket.command(m, d);
  expect(err).toBeUndefined();
  return ok as { room: string };
};
const hub = (...args: string[]) => runHub(dataDir, ...args);
const headsOf = async (lane: string): Promise<SignedHead[]> =>
  JSON.parse((await hub("events", "heads", "--lane", lane, "--json")).said);
/** Waits until all that happened is signed. */
const allSigned = async (): Promise<SignedHead> =>
  vi.waitFor(
    async () => {
      const tail = (await hub("events", "tail", "--lane", "rooms.0", "--no-follow", "--json")).said.split("\n");
      const head = (await headsOf("rooms.0")).at(-1);
      expect(head?.n).toBeGreaterThanOrEqual(JSON.parse(tail.at(-1) ?? "{}").n);
      return head as SignedHead;
    },
    { timeout: 15_000, interval: 100 },
  );

test("the writer signs where its lane is, and verify holds the log to it", async () => {
  const head = await allSigned();
  expect(head).toMatchObject({ v: 1, lane: "rooms.0", key: publicKey });
  expect((await hub("events", "key")).said).toBe(publicKey);
  expect((await hub("events", "heads")).said).toContain(head.tree);
  const { code, said } = await hub("events", "verify", "--json");
  expect(code).toBe(exitCodes.done);
  const rooms = JSON.parse(said).find(({ lane }: { lane: string }) => lane === "rooms.0");
  expect(rooms.heads).toMatchObject({ restoredOver: 0, last: { n: head.n, at: head.at } });
  expect(rooms.fault).toBeUndefined();
});

test("heads that were kept elsewhere find what the box itself would not tell", async () => {
  const head = await allSigned();
  const file = join(dataDir, "heads.json");
  const verify = async (heads: unknown, ...more: string[]) => {
    writeFileSync(file, typeof heads === "string" ? heads : JSON.stringify(heads));
    return hub("events", "verify", "--lane", "rooms.0", "--heads", file, ...more);
  };
  expect((await verify(await headsOf("rooms.0"))).code).toBe(exitCodes.done);
  for (const [heads, what] of [
    ["[", "that is no JSON"],
    [{}, "that is no list of heads"],
    [[{ ...head, n: head.n + 1 }], "head 1: its signature does not fit"],
  ] as const) {
    const refused = await verify(heads);
    expect(refused.code).toBe(exitCodes.badSettingOrUsage);
    expect(refused.complaints).toContain(what);
  }
  // As if the log had been another one when it was signed.
  const stranger = signingKeyOf(generateKeyPairSync("ed25519").privateKey);
  const other = signHead({ ...head, hash: "0".repeat(64) }, new MerkleTree(head.size, head.peaks), stranger);
  const unknown = await verify([other]);
  expect(unknown.complaints).toContain(`has the key ${stranger.publicKey}, which is not this box's`);
  const rewritten = await verify([other], "--key", stranger.publicKey);
  expect(rewritten.code).toBe(exitCodes.failed);
  expect(rewritten.said).toContain(`commit ${head.n}: the head signed at ${head.at} says otherwise`);
});

interface ProofText {
  of: { room: string; from: number; to: number };
  head: SignedHead;
  events: {
    n: number;
    event: number;
    leaf: number;
    bytes: string;
    eventPath: string[];
    entryPath: string[];
    notProven?: object;
  }[];
}

/** What the checker says of a proof; it runs alone, as at somebody's who has nothing else. */
function check(proof: unknown, ...more: string[]) {
  const file = join(dataDir, "proof.json");
  writeFileSync(file, typeof proof === "string" ? proof : JSON.stringify(proof));
  const checker = fileURLToPath(new URL("../../tools/checkProof.mjs", import.meta.url));
  const { status, stdout, stderr } = spawnSync(process.execPath, [checker, file, ...more], { encoding: "utf8" });
  return { status, said: stdout + stderr };
}

test("a part of a room is proven to somebody who has only the proof and the key", async () => {
  await allSigned();
  const { code, said } = await hub("events", "prove", "--room", room, "--from", "2", "--to", "5", "--reveal");
  expect(code).toBe(exitCodes.done);
  const proof: ProofText = JSON.parse(said);
  expect(proof.events.map(({ notProven }) => notProven)).toMatchObject([{ body: { text: "number 1" } }, {}, {}, {}]);
  const checked = check(proof, "--key", publicKey);
  expect(checked).toMatchObject({
    status: 0,
    said: expect.stringContaining(`PROVEN: All events 2 to 5 of the room ${room}`),
  });
  expect(checked.said).toContain("NOT proven: what stands under notProven");
  const changed = (change: (copy: ProofText) => unknown) => {
    const copy = structuredClone(proof);
    return check(change(copy) ?? copy, "--key", publicKey);
  };
  const forgeries: readonly [what: string, (copy: ProofText) => unknown][] = [
    [
      "is not in the signed tree",
      ({ events: [first] }) => void Object.assign(first ?? {}, { bytes: first?.bytes.replace('"by":"0', '"by":"1') }),
    ],
    ["is not in the signed tree", ({ events: [first] }) => void Object.assign(first ?? {}, { n: 1 })],
    ["event 2 of the room is missing or not in its order", ({ events }) => void events.reverse()],
    ["event 3 of the room is missing or not in its order: there stands 4", ({ events }) => void events.splice(1, 1)],
    ["the events from 5 to 5 are missing", ({ events }) => void events.pop()],
    ["is not of the room", ({ of }) => void Object.assign(of, { room: newKey() })],
    ["the signature does not fit", ({ head }) => void Object.assign(head, { size: head.size + 1 })],
    ["an audit path is too short", ({ events: [first] }) => void first?.entryPath.pop()],
    ["it proves no event", ({ events }) => void events.splice(0)],
    ["it is no proof of version 1", () => ({})],
    ["it can't be read", () => "junk"],
  ];
  for (const [what, forge] of forgeries)
    expect(changed(forge)).toMatchObject({ status: 1, said: expect.stringContaining(what) });
  const stranger = signingKeyOf(generateKeyPairSync("ed25519").privateKey);
  expect(check(proof, "--key", stranger.publicKey).said).toContain("it is signed with another key");
  const resigned = {
    ...proof,
    head: signHead(proof.head, new MerkleTree(proof.head.size, [...proof.head.peaks]), stranger),
  };
  expect(check(resigned, "--key", publicKey)).toMatchObject({ status: 1 });
  // What it prints is not the forger's to write.
  const at = `${proof.head.at}\n\u001b[8m`;
  const talking = {
    ...proof,
    head: signHead({ ...proof.head, at }, new MerkleTree(proof.head.size, [...proof.head.peaks]), stranger),
  };
  expect(check(talking)).toMatchObject({ status: 1, said: expect.stringContaining("its signed head is malformed") });
  // Without a key it can only be said whose word it is.
  expect(check(resigned).said).toContain(`By the key ${stranger.publicKey}: compare it`);
});

test("one event is proven without showing any other, and what is not there is not", async () => {
  const { n } = await allSigned();
  const lines = (await hub("events", "tail", "--room", room, "--no-follow", "--json", "--lane", "rooms.0")).said.split(
    "\n",
  );
  const last = JSON.parse(lines.at(-1) ?? "");
  const place = `rooms.0:${last.n}:${last.entry}:${last.event}`;
  const { said } = await hub("events", "prove", "--event", place);
  expect(said).not.toContain("notProven");
  expect(check(JSON.parse(said)).said).toContain(`PROVEN: The event at ${place} (MessagePosted.v1, room ${room}`);
  const refusals: readonly [args: string[], code: number, what: string][] = [
    [
      ["--event", "rooms.0:1:0:0"],
      exitCodes.badSettingOrUsage,
      "Commit 1 of rooms.0 has no event 0:0: it has no events at all.",
    ],
    [["--event", `rooms.0:${n + 100}:0:0`], exitCodes.badSettingOrUsage, `rooms.0 has no commit ${n + 100}`],
    [["--event", "rooms.0:1"], exitCodes.badSettingOrUsage, "Write it like rooms.0:42:0:0"],
    [["--room", room, "--from", "1", "--to", "99"], exitCodes.badSettingOrUsage, "has no event 99: its last one is 6."],
    [["--room", newKey(), "--from", "1", "--to", "2"], exitCodes.failed, "is not on the log"],
    [["--room", room, "--from", "3", "--to", "2"], exitCodes.badSettingOrUsage, "--from 3 is after --to 2"],
    [["--room", room], exitCodes.badSettingOrUsage, "Say what to prove"],
  ];
  for (const [args, code, what] of refusals) {
    const refused = await hub("events", "prove", ...args);
    expect(refused, what).toMatchObject({ code, complaints: expect.stringContaining(what) });
  }
});

test("the tables are proven to be the fold of the log, and one changed row is found and named", async () => {
  expect((await hub("wait-caught-up", "--timeout", "20")).code).toBe(exitCodes.done);
  const verified = await hub("projections", "verify", "--json");
  expect(verified.code).toBe(exitCodes.done);
  const verdicts = JSON.parse(verified.said);
  expect(verdicts.map((one: { projection: string; passes: number }) => [one.projection, one.passes])).toEqual([
    ["accounts", 1],
    ["rooms", 1],
    ["content", 1],
  ]);
  expect(verdicts[1].rows).toBeGreaterThan(10);
  const pool = openPool(chat.box.databaseUrl, { name: "test", max: 1 });
  try {
    await pool.query(`update chat.messages set status = 'edited' where id = $1`, [`${room}:3`]);
    const { code, said } = await hub("projections", "verify", "rooms");
    expect(code).toBe(exitCodes.failed);
    expect(said).toContain(`First difference: chat.messages, key ${room}:3`);
    await pool.query(`update chat.messages set status = 'sent' where id = $1`, [`${room}:3`]);
  } finally {
    await pool.end();
  }
  expect((await hub("projections", "verify", "rooms")).said).toContain("= fold of the log");
  const unknown = await hub("projections", "verify", "search");
  expect(unknown).toMatchObject({ code: exitCodes.badSettingOrUsage });
  expect(unknown.complaints).toContain('There is no projection "search"');
});

test("the digest of any position is what the tables held there", async () => {
  await hub("wait-caught-up", "--timeout", "20");
  const now = JSON.parse((await hub("digest", "--json")).said);
  const vector = now.positions.map(({ lane, n }: { lane: string; n: number }) => `${lane}:${n}`).join(",");
  expect(JSON.parse((await hub("digest", "--at", vector, "--json")).said)).toEqual(now);
  const instant = new Date().toISOString();
  expect(JSON.parse((await hub("digest", "--at", instant, "--json")).said).digest).toBe(now.digest);
  const tomorrow = new Date(Date.now() + 24 * 60 * 60_000).toISOString();
  for (const command of [["digest"], ["room", "show", room]]) {
    const { code, said, complaints } = await hub(...command, "--at", tomorrow);
    expect({ code, said }).toEqual({ code: exitCodes.badSettingOrUsage, said: "" });
    expect(complaints).toContain(`${tomorrow} has yet to come`);
  }
  const before = JSON.parse((await hub("digest", "--at", "2020-01-01", "--json")).said);
  expect(before.tables.every(({ rows }: { rows: number }) => rows === 0)).toBe(true);
  expect(JSON.parse((await hub("digest", "--at", "rooms.0:0,accounts.0:0", "--json")).said).digest).toBe(before.digest);
  const beyond = await hub("digest", "--at", "rooms.0:1000000");
  expect(beyond).toMatchObject({ code: exitCodes.badSettingOrUsage });
  expect(beyond.complaints).toContain("rooms.0 has no commit 1000000: its last one is");
  expect((await hub("digest", "--at", "yesterday")).complaints).toContain('"yesterday" names no place in the log');
});

test("members look back over HTTP, each from where they came in, and see no text that was deleted since", async () => {
  const bob = await chat.person(edge, "bob");
  const { room: own } = await ask("createRoom", { name: "Attic" });
  for (const text of ["one", "two", "three"]) await ask("postMessage", { room: own, text });
  await ask("editMessage", { room: own, message: 2, text: "uno" });
  await ask("addMember", { room: own, user: bob.user });
  await ask("renameRoom", { room: own, name: "Loft" });
  await ask("deleteMessage", { room: own, message: 3 });
  const asOf = async (query: string, { token } = ada.session) => {
    const headers = { authorization: `Bearer ${token}` };
    const answer = await fetch(`${edge.url}/v1/rooms/${own}/as-of?${query}`, { headers });
    return (await answer.json()) as { ok: Record<string, unknown>; err?: { name: string } };
  };
  const { ok: then } = await asOf("s=4");
  const message = { by: ada.user, edited: false, deleted: false };
  expect(then).toMatchObject({ s: 4, name: "Attic", type: "group", memberCount: 1, more: false });
  expect(then.members).toEqual([{ id: ada.user, role: "owner" }]);
  expect(then.messages).toMatchObject([
    { ...message, s: 2, text: "one" },
    { ...message, s: 3, text: null },
    { ...message, s: 4, text: "three" },
  ]);
  expect((await asOf(`at=${String(then.at)}`)).ok).toEqual(then);
  for (const wrong of ["2026-02-31", "2026-11-24 (x)", "2026-11-24T04:34"])
    expect((await asOf(`at=${encodeURIComponent(wrong)}`)).err?.name).toBe("BadInput");
  expect((await asOf("at=2099-01-01")).err?.name).toBe("NotYet");
  const instant = new Date().toISOString();
  // The log's clock, as the edge knows it, may be a moment behind the one here: `NotYet` until it is there.
  const now = await vi.waitFor(async () => {
    const { ok } = await asOf(`at=${instant}&limit=2`);
    expect(ok).toBeDefined();
    return ok;
  });
  expect(now).toMatchObject({ s: 8, name: "Loft", memberCount: 2, more: true });
  expect(now.messages).toMatchObject([
    { s: 3, text: null, deleted: true },
    { s: 4, text: "three" },
  ]);
  expect((await asOf("s=5")).ok.messages).toMatchObject([{ s: 2, text: "uno", edited: true }, { s: 3 }, { s: 4 }]);
  expect((await asOf("s=5", bob.session)).err?.name).toBe("BeforeHistory");
  const { ok: his } = await asOf("s=7", bob.session);
  expect(his).toMatchObject({ s: 7, name: "Loft", memberCount: 2, messages: [], more: false });
  // The same from the tables alone.
  await hub("wait-caught-up", "--timeout", "20");
  expect((await asOf("s=4")).ok).toEqual(then);
});

test("a room is shown as it was at any event and at any instant, also what was deleted and erased later", async () => {
  const show = async (...args: string[]) => JSON.parse((await hub("room", "show", room, "--json", ...args)).said);
  const then = await show("--at", "4");
  expect(then).toMatchObject({ room, s: 4, name: "Engine", type: "group" });
  expect(then.members).toMatchObject([{ role: "owner", joinedS: 1 }]);
  expect(then.messages.map(({ text }: { text: string }) => text)).toEqual([null, "number 1", "number 2", "number 3"]);
  expect(await show("--at", then.at)).toEqual(then);
  await ask("renameRoom", { room, name: "Boiler" });
  await ask("editMessage", { room, message: 3, text: "changed" });
  await ask("deleteMessage", { room, message: 4 });
  const now = await show();
  expect(now).toMatchObject({ s: 9, name: "Boiler" });
  expect(now.messages.slice(2, 4)).toMatchObject([
    { text: "changed", status: "edited", erased: false },
    { text: null, status: "deleted", erased: false },
  ]);
  expect(await show("--at", "4")).toEqual(then);
  const text = (await hub("room", "show", room, "--at", "8")).said;
  expect(text).toContain("number 3");
  expect(text).toContain("changed (edited)");
  expect(text).toContain("ada");
  const { failed, badSettingOrUsage } = exitCodes;
  for (const [args, code, what] of [
    [[room, "--at", "99"], badSettingOrUsage, `has no event 99: its last one is 9.`],
    [[room, "--at", "2020-01-01"], failed, "is not there at 2020-01-01T00:00:00.000Z."],
    [[newKey()], failed, "is not on the log."],
    [[room, "--at", "0"], badSettingOrUsage, "a whole number from 1 on"],
  ] as const) {
    const refused = await hub("room", "show", ...args);
    expect(refused).toMatchObject({ code });
    expect(refused.complaints).toContain(what);
  }
  // Who closes their account takes the keys of what they are with them; what they wrote is erased once those keys are.
  const pool = openPool(chat.box.databaseUrl, { name: "test", max: 1 });
  await pool.query("delete from vault.keys where name like 'body:%'").finally(() => pool.end());
  expect((await show("--at", "4")).messages[1]).toMatchObject({ text: null, erased: true, status: "sent" });
});
