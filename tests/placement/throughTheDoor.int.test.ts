import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect } from "node:net";
import { type RunningEdge, readEdgeConfig, startEdge } from "@connect-hub/edge";
import { makeSshKey } from "@connect-hub/runtime";
import { register, signIn } from "@connect-hub/sdk";
import { afterAll, beforeAll, expect, inject, test, vi } from "vitest";
import { type OwnSshd, startOwnSshd } from "../setup/ownSshd.ts";
import { bareSocket } from "../support/bareSocket.ts";
import { download, type FileUser, hashOf, type MadeFile, sha256, upload } from "../support/files.ts";
import { type PlacementBox, placementBox, type TestPlacement } from "../support/placementBox.ts";

const MiB = 1024 * 1024;
const budgetBytes = 24 * MiB;
let node: OwnSshd;
let box: PlacementBox;
let placement: TestPlacement;
let edge: RunningEdge;
let ada: FileUser;
let room: string;

beforeAll(async () => {
  const key = makeSshKey("test");
  node = await startOwnSshd(key);
  const servers = { natsUrl: inject("natsUrl"), postgresUrl: inject("postgresUrl"), valkeyUrl: inject("valkeyUrl") };
  box = await placementBox(servers, { key, budgetBytes });
  placement = await box.startPlacement();
  await box.addNode("cellar", node.target);
  edge = await startEdge(readEdgeConfig({ ...box.env, HUB_PLACEMENT_URL: `http://127.0.0.1:${placement.port}` }));
  ada = await person();
  const socket = await bareSocket(ada.url, ada.token);
  const made = await socket.command("createRoom", { name: "Archive" });
  room = String((made.ok as { room: string }).room);
  socket.close();
});
afterAll(async () => {
  await edge?.close();
  await box?.close();
  await node?.close();
});

async function person(): Promise<FileUser> {
  const url = `http://127.0.0.1:${edge.port}`;
  await vi.waitFor(async () => expect((await fetch(`${url}/ready`)).status).toBe(200), { timeout: 15_000 });
  const credentials = { url, email: "ada@example.org", password: "a long enough password" };
  await register({ ...credentials, name: "Ada" });
  return { url, token: (await signIn(credentials)).token };
}

const within = { timeout: 60_000, interval: 50 };
vi.setConfig({ testTimeout: 120_000 });

/** Uploads, again while the disk is full. */
function uploaded(bytes: Uint8Array): Promise<MadeFile> {
  return vi.waitFor(async () => {
    const { status, ok } = await upload(ada, room, bytes);
    expect(status).toBe(201);
    return ok;
  }, within);
}

/** Uploads other files until the bytes of that hash had to go. */
async function pushOut(hash: string): Promise<void> {
  await vi.waitFor(async () => {
    const { status } = await upload(ada, room, randomBytes(2 * MiB));
    // While the disk is full the worker is at it.
    expect([201, 507]).toContain(status);
    expect(await box.store.sizeOf(hash)).toBeUndefined();
  }, within);
}

test("files uploaded past the budget move to the node, and each downloads byte for byte from where it is", async () => {
  const files = new Map<string, string>();
  for (let count = 0; count < 16; count++) {
    const bytes = randomBytes(2 * MiB + count * 1_237);
    files.set((await uploaded(bytes)).file, sha256(bytes));
  }
  await vi.waitFor(async () => expect((await box.store.usage()).used).toBeLessThan(budgetBytes * 0.75), within);
  const hashes = [...files.values()];
  const away = await Promise.all(hashes.map(async (hash) => (await box.store.sizeOf(hash)) === undefined));
  expect(away.filter(Boolean).length).toBeGreaterThan(2);
  for (const [file, hash] of files) expect(await hashOf(ada, file)).toBe(hash);
});

test("a range of a file that is away is given without the rest; what is read whole is here again", async () => {
  const bytes = randomBytes(5 * MiB + 11);
  const { file } = await uploaded(bytes);
  const hash = sha256(bytes);
  await pushOut(hash);
  const range = await download(ada, file, { range: `bytes=${3 * MiB}-${3 * MiB + 99}` });
  expect(range.status).toBe(206);
  expect(Buffer.from(await range.arrayBuffer()).equals(bytes.subarray(3 * MiB, 3 * MiB + 100))).toBe(true);
  expect(await hashOf(ada, file)).toBe(hash);
  await vi.waitFor(async () => expect(await box.store.sizeOf(hash)).toBe(bytes.byteLength), within);
});

test("who has begun to read a file that is dropped meanwhile reads it to the end", async () => {
  const bytes = randomBytes(6 * MiB);
  const { file } = await uploaded(bytes);
  const hash = sha256(bytes);
  const socket = connect(edge.port, "127.0.0.1");
  await once(socket, "connect");
  socket.write(`GET /v1/files/${file} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${ada.token}\r\n\r\n`);
  // The rest waits in the edge, which has the file open, until somebody reads on.
  await once(socket, "readable");
  await pushOut(hash);
  let received = Buffer.alloc(0);
  for await (const chunk of socket) {
    received = Buffer.concat([received, chunk]);
    const body = received.indexOf("\r\n\r\n") + 4;
    if (received.byteLength - body >= bytes.byteLength) {
      expect(received.subarray(body).equals(bytes)).toBe(true);
      break;
    }
  }
});

test("without the node a file that is away is unavailable, to be tried again; with it, it is there", async () => {
  const bytes = randomBytes(3 * MiB);
  const { file } = await uploaded(bytes);
  await pushOut(sha256(bytes));
  node.signal("SIGSTOP");
  const { status, headers } = await download(ada, file);
  expect(status).toBe(503);
  expect(headers.get("retry-after")).not.toBeNull();
  node.signal("SIGCONT");
  await vi.waitFor(async () => expect(await hashOf(ada, file)).toBe(sha256(bytes)), within);
});
