import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeSshKey } from "@connect-hub/runtime";
import { afterAll, beforeAll, expect, inject, test, vi } from "vitest";
import { type OwnSshd, startOwnSshd } from "../setup/ownSshd.ts";
import { type PlacementBox, placementBox, sha256, type TestPlacement } from "../support/placementBox.ts";

const MiB = 1024 * 1024;
const budgetBytes = 16 * MiB;
let node: OwnSshd;
let second: OwnSshd;
let box: PlacementBox;
let placement: TestPlacement;
/** By hash. */
const uploaded = new Map<string, Uint8Array>();

beforeAll(async () => {
  const key = makeSshKey("test");
  node = await startOwnSshd(key);
  second = await startOwnSshd(key);
  const servers = { natsUrl: inject("natsUrl"), postgresUrl: inject("postgresUrl"), valkeyUrl: inject("valkeyUrl") };
  box = await placementBox(servers, { key, budgetBytes });
  placement = await box.startPlacement();
});
afterAll(async () => {
  await box?.close();
  await node?.close();
  await second?.close();
});

async function upload(size: number): Promise<string> {
  const bytes = randomBytes(size);
  const hash = await box.upload(bytes);
  uploaded.set(hash, bytes);
  return hash;
}

async function level(): Promise<string> {
  return (await (await placement.get("/status")).json()).disk.level;
}

const within = { timeout: 20_000, interval: 50 };
const onNode = (one: OwnSshd) => readdirSync(join(one.folder, "blobs")).length;
const leftovers = (one: OwnSshd) => readdirSync(join(one.folder, ".tmp"));

test("nothing moves below the first mark, nor without a node; then the coldest are dropped and the disk is below the last mark", async () => {
  const sizes = [3 * MiB + 17, 2 * MiB, 1, 4 * MiB - 1, 0, MiB, 3 * MiB];
  for (const size of sizes) await upload(size);
  await vi.waitFor(async () => expect(await level()).toBe("drop"), within);
  expect((await placement.nodes()).length).toBe(0);
  await box.addNode("cellar", node.target);
  await vi.waitFor(async () => expect((await box.store.usage()).used).toBeLessThan(budgetBytes * 0.65), within);
  const places = await Promise.all([...uploaded.keys()].map((hash) => box.placesOf(hash)));
  const dropped = places.filter((place) => place?.local === false);
  expect(dropped.length).toBeGreaterThan(0);
  for (const place of dropped) expect(place?.replicas.length).toBe(1);
  // What is dropped is what was oldest.
  expect(places[0]?.local).toBe(false);
  await vi.waitFor(() => expect(leftovers(node)).toEqual([]), within);
});

test("what was moved is served from the node, whole and in ranges, and fills the cache again", async () => {
  const [hash, bytes] = [...uploaded][0] ?? ["", new Uint8Array()];
  expect(await box.store.sizeOf(hash)).toBeUndefined();
  const range = await placement.get(`/blobs/${hash}`, { range: "bytes=1048570-2097160" });
  expect(range.status).toBe(206);
  expect(range.headers.get("content-range")).toBe(`bytes 1048570-2097160/${bytes.byteLength}`);
  expect(Buffer.from(await range.arrayBuffer()).equals(bytes.subarray(1_048_570, 2_097_161))).toBe(true);
  expect(await box.store.sizeOf(hash)).toBeUndefined();
  const whole = await placement.get(`/blobs/${hash}`);
  expect(whole.status).toBe(200);
  expect(sha256(new Uint8Array(await whole.arrayBuffer()))).toBe(hash);
  await vi.waitFor(async () => expect(await box.store.sizeOf(hash)).toBe(bytes.byteLength), within);
});

test("the service answers nobody without the secret, and says what it does not have", async () => {
  const [hash] = [...uploaded.keys()];
  expect((await placement.get(`/blobs/${hash}`, { authorization: "Bearer wrong" })).status).toBe(401);
  expect((await placement.get("/status", { authorization: "" })).status).toBe(401);
  const missing = await placement.get(`/blobs/${"0".repeat(64)}`);
  expect([missing.status, await missing.json()]).toEqual([404, { error: "BlobNotFound" }]);
  const bad = await placement.get(`/blobs/${hash}`, { range: "bytes=99999999-" });
  expect([bad.status, await bad.json()]).toEqual([416, { error: "BadRange" }]);
});

test("with a second node each blob gets two replicas before it is dropped", async () => {
  await box.addNode("attic", second.target);
  await vi.waitFor(
    async () => expect((await placement.nodes()).map(({ state }) => state)).toEqual(["up", "up"]),
    within,
  );
  const fresh = [];
  for (let count = 0; count < 6; count++) fresh.push(await upload(2 * MiB + count));
  await vi.waitFor(async () => expect((await box.store.usage()).used).toBeLessThan(budgetBytes * 0.65), within);
  const first = fresh[0] ?? "";
  await vi.waitFor(async () => expect((await box.placesOf(first))?.replicas.length).toBe(2), within);
  expect(onNode(second)).toBeGreaterThan(0);
  for (const [hash, bytes] of uploaded) {
    const got = (await box.store.sizeOf(hash)) === undefined ? await placement.get(`/blobs/${hash}`) : undefined;
    if (got !== undefined) expect(sha256(new Uint8Array(await got.arrayBuffer())), `${bytes.byteLength}`).toBe(hash);
  }
  // The rest is copied in its own time.
  await vi.waitFor(() => expect([...leftovers(node), ...leftovers(second)]).toEqual([]), within);
});

test("wrong bytes on one node are never given: another node's are", async () => {
  const moved = [];
  for (const hash of uploaded.keys()) {
    const place = await box.placesOf(hash);
    if (place?.replicas.length === 2 && place.size > 0 && (await box.store.sizeOf(hash)) === undefined)
      moved.push(place);
  }
  const place = moved[0];
  if (place === undefined) throw new Error("nothing has two replicas");
  const path = join(node.folder, "blobs", place.replicas[0]?.name ?? "");
  const right = readFileSync(path);
  writeFileSync(path, randomBytes(right.byteLength));
  const got = await placement.get(`/blobs/${place.hash}`, { range: "bytes=0-" });
  expect(sha256(new Uint8Array(await got.arrayBuffer()))).toBe(place.hash);
  await box.store.drop(place.hash);
  const other = join(second.folder, "blobs", place.replicas[0]?.name ?? "");
  writeFileSync(other, randomBytes(right.byteLength));
  const none = await placement.get(`/blobs/${place.hash}`);
  expect([none.status, await none.json()]).toEqual([503, { error: "FileUnavailable" }]);
  expect((await placement.nodes()).some(({ lastError }) => lastError?.code === "WrongBytes")).toBe(true);
  for (const one of [path, other]) writeFileSync(one, right);
});
