import { generateKeyPairSync } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MerkleTree, type SignedHead, signHead, signingKeyOf } from "@connect-hub/domain/kernel";
import { readOrMakeSigningKey } from "@connect-hub/runtime";
import { afterAll, beforeAll, expect, inject, test, vi } from "vitest";
import { writeConnections } from "../../apps/hub/box/connections.ts";
import { exitCodes } from "../../apps/hub/exitCodes.ts";
import { bareSocket, newKey } from "../support/bareSocket.ts";
import { type ChatUnderTest, chatUnderTest } from "../support/chat.ts";
import { runHub } from "../support/runHub.ts";

// What the log proves of itself, from the outside: a box at work whose heads are signed all the time.

let dataDir: string;
let chat: ChatUnderTest;
let room: string;
let publicKey: string;

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
  const edge = await chat.startEdge();
  const ada = await chat.person(edge, "ada");
  const socket = await bareSocket(edge.url, ada.session.token);
  const ask = async (m: string, d: object) => {
    const { ok } = (await socket.ask({ m, d, k: newKey() })) as { ok: { room: string } };
    return ok;
  };
  room = (await ask("createRoom", { name: "Engine" })).room;
  for (let k = 1; k <= 5; k++) await ask("postMessage", { room, text: `number ${k}` });
  socket.close();
});
afterAll(async () => {
  await chat?.close();
  rmSync(dataDir, { recursive: true });
});

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
