import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { appArgs, freePort } from "@connect-hub/runtime";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { openRawWebSocket } from "../setup/rawWebSocket.ts";
import { type ChatUnderTest, chatUnderTest, type StartedEdge } from "../support/chat.ts";

let chat: ChatUnderTest;
let edge: StartedEdge;
let metricsPort: number;
let projector: { close(): Promise<void> };
beforeAll(async () => {
  const servers = { natsUrl: inject("natsUrl"), postgresUrl: inject("postgresUrl"), valkeyUrl: inject("valkeyUrl") };
  chat = await chatUnderTest(servers);
  await chat.startCommands();
  projector = await chat.startProjector();
  metricsPort = await freePort();
  edge = await chat.startEdge({ HUB_METRICS_PORT: String(metricsPort) });
});
afterAll(() => chat?.close());

const upTo = (s: number) => Array.from({ length: s }, (_, at) => at + 1);
const numbers = (events: readonly string[]) => events.map((event) => Number.parseInt(event, 10));

/** Somebody alone in a room, connected; `say` posts that many messages at once. */
async function alone(url: string | readonly string[] = edge.url) {
  const ada = await chat.person(edge, "ada");
  const a = ada.connect({ url });
  const { room } = await a.client.command("createRoom", { name: "Engine" });
  const say = (count: number) =>
    Promise.all(
      Array.from({ length: count }, (_, at) => a.client.command("postMessage", { room, text: `message ${at}` })),
    );
  return { ada, a, room, say };
}

describe("while the projector stands still", () => {
  test("people register, sign in, talk, page and resume; what was just told is seen", async () => {
    await projector.close();
    const { ada, a, room, say } = await alone();
    await say(30);
    await expect.poll(() => numbers(a.events(room))).toEqual(upTo(31));
    expect((await a.client.query("history", { room, limit: 5 })).events.map(({ s }) => s)).toEqual([
      27, 28, 29, 30, 31,
    ]);
    const second = ada.connect();
    await expect.poll(() => numbers(second.events(room))).toEqual(upTo(31));
    const epoch = a.client.rooms.get(room)?.epoch ?? "";
    const resumed = ada.connect({ cursors: { [room]: [epoch, 11] } });
    await expect.poll(() => numbers(resumed.events(room))).toEqual(upTo(31).slice(11));
    expect(resumed.told).not.toContain("reset");
    const bob = await chat.person(edge, "bob");
    expect(await a.client.query("findPerson", { email: bob.email })).toEqual({ id: bob.user, name: "bob" });
    const adding = a.client.command("addMember", { room, user: bob.user });
    projector = await chat.startProjector();
    expect(await adding).toEqual({ room, s: 32 });
    expect((await a.client.query("members", { room })).members.map(({ id }) => id)).toContain(bob.user);
  });
});

describe("a resume", () => {
  test("that has more to bring than it may begins the room anew", async () => {
    const { ada, a, room, say } = await alone();
    await say(1_010);
    const epoch = a.client.rooms.get(room)?.epoch ?? "";
    await expect.poll(() => a.events(room).length).toBe(1_011);
    const most = ada.connect({ cursors: { [room]: [epoch, 11] } });
    await expect.poll(() => numbers(most.events(room))).toEqual(upTo(1_011).slice(11));
    const tooMuch = ada.connect({ cursors: { [room]: [epoch, 10] } });
    await expect.poll(() => numbers(tooMuch.events(room))).toEqual(upTo(1_011));
    expect([most.told.includes("reset"), tooMuch.told.includes("reset")]).toEqual([false, true]);
  });

  test.each([
    ["of another epoch", "00000000", 2],
    ["from beyond the head", undefined, 99],
  ])("with a cursor %s begins the room anew", async (_, otherEpoch, s) => {
    const { ada, a, room, say } = await alone();
    await say(3);
    const epoch = otherEpoch ?? a.client.rooms.get(room)?.epoch ?? "";
    const talker = ada.connect({ cursors: { [room]: [epoch, s] } });
    await expect.poll(() => talker.told).toContain("reset");
    await expect.poll(() => numbers(talker.events(room))).toEqual(upTo(4));
  });
});

describe("with two edges", () => {
  test("who is turned away by one goes on at the other; nothing is lost or doubled", async () => {
    const first = await chat.startEdge();
    const { a, room, say } = await alone([first.url, edge.url]);
    const talking = (async () => {
      for (let round = 0; round < 20; round++) await say(10);
    })();
    await expect.poll(() => a.events(room).length).toBeGreaterThan(30);
    await first.close();
    await talking;
    await expect.poll(() => numbers(a.events(room))).toEqual(upTo(201));
    expect(a.told.filter((told) => told === "online").length).toBe(2);
  });
});

describe("an edge that is killed", () => {
  const started: ChildProcess[] = [];
  afterAll(() => {
    for (const child of started) child.kill("SIGKILL");
  });

  async function startProcess(port: number): Promise<ChildProcess> {
    const child = spawn(process.execPath, appArgs(["edge"]), {
      env: { ...process.env, ...chat.box.env, HUB_PORT: String(port) },
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    started.push(child);
    await once(child, "message");
    return child;
  }

  test("and comes back is found again by its clients; each command happens once, each event comes once", async () => {
    const port = await freePort();
    const child = await startProcess(port);
    const { a, room, say } = await alone(`http://127.0.0.1:${port}`);
    const talking = (async () => {
      for (let round = 0; round < 40; round++) await say(10);
    })();
    await expect.poll(() => a.events(room).length).toBeGreaterThan(100);
    child.kill("SIGKILL");
    await once(child, "exit");
    await startProcess(port);
    await talking;
    await expect.poll(() => numbers(a.events(room)), { timeout: 10_000 }).toEqual(upTo(401));
    const { head } = await a.client.query("history", { room, limit: 1 });
    expect(head).toBe(401);
  });
});

/** A number of the edge's metrics. */
async function measured(name: string): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
  return Number(new RegExp(`^hub_edge_${name} (\\d+)$`, "m").exec(text)?.[1]);
}

const MiB = 1024 * 1024;
/** Events of one commit. */
const frameBytes = 0.5 * MiB;

describe("a reader that is too slow", () => {
  test("loses its rooms until it has read on, then resumes them in place; it holds nobody up and little is kept for it", {
    timeout: 60_000,
  }, async () => {
    const { ada, a, room } = await alone();
    const stalled = async () => {
      const raw = await openRawWebSocket(edge.port, "/v1/socket");
      raw.send(JSON.stringify({ auth: { token: ada.session.token } }));
      await expect.poll(() => raw.received.some((frame) => frame.includes('"ready"'))).toBe(true);
      raw.tcp.pause();
      return raw;
    };
    const [raw, ...others] = [await stalled(), await stalled(), await stalled(), await stalled()];
    const text = "x".repeat(8_000);
    let mostBytes = 0;
    for (let round = 0; round < 20; round++) {
      await Promise.all(Array.from({ length: 50 }, () => a.client.command("postMessage", { room, text })));
      mostBytes = Math.max(mostBytes, await measured("waiting_bytes_most"));
    }
    await expect.poll(() => numbers(a.events(room)).at(-1)).toBe(1_001);
    // More came than the lines themselves hold, and was not kept.
    expect(mostBytes).toBeGreaterThan(0.9 * MiB);
    expect(mostBytes).toBeLessThan(MiB + frameBytes);
    const connected = await measured("sockets");
    for (const other of others) {
      for (let i = 0; i < 12; i++) other.send(JSON.stringify({ i, q: "history", d: { room } }));
    }
    // Each answer has 1.6 MB: beyond 4 MiB of them the socket is closed.
    await expect.poll(() => measured("sockets"), { timeout: 15_000 }).toBe(connected - others.length);
    expect(await measured("waiting_bytes")).toBeLessThan(MiB + frameBytes);
    for (const other of others) other.tcp.destroy();
    raw.tcp.resume();
    await expect.poll(() => raw.received.some((frame) => frame.includes('"resync"')), { timeout: 10_000 }).toBe(true);
    const seen = () => {
      const frames = raw.received.filter((frame) => /^(\{"r"|\[)/.test(frame));
      return frames.flatMap((frame) => [JSON.parse(frame)].flat() as { s: number }[]).map(({ s }) => s);
    };
    const before = seen();
    const last = before.at(-1) ?? 1;
    expect(before).toEqual(Array.from({ length: before.length }, (_, at) => at + 2));
    expect(last).toBeLessThan(1_001);
    const epoch = a.client.rooms.get(room)?.epoch ?? "";
    raw.send(JSON.stringify({ resume: { [room]: [epoch, last] } }));
    await expect.poll(() => raw.received.some((frame) => frame.includes('"resumed"')), { timeout: 10_000 }).toBe(true);
    await a.client.command("postMessage", { room, text: "live again" });
    await expect.poll(() => seen().at(-1)).toBe(1_002);
    expect(seen()).toEqual(Array.from({ length: 1_001 }, (_, at) => at + 2));
    raw.close(1000);
  });
});
