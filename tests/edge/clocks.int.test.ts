import { execFileSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { derivedId } from "@connect-hub/domain/kernel";
import { signOut } from "@connect-hub/sdk";
import { afterAll, beforeAll, describe, expect, inject, test, vi } from "vitest";
import { type BareSocket, bareSocket } from "../support/bareSocket.ts";
import { type ChatUnderTest, chatUnderTest, type Person, type StartedEdge } from "../support/chat.ts";
import { type EdgeProcess, killEdgeProcesses, startEdgeProcess } from "../support/edgeProcess.ts";

const hourMs = 3_600_000;
const apart = [
  ["ahead", hourMs],
  ["behind", -hourMs],
] as const;
let chat: ChatUnderTest;
let sound: StartedEdge;
let ada: Person;
const edges = new Map<string, EdgeProcess>();

/** What makes a process see a clock that is off by so much. */
const clockOffBy = (ms: number): string => {
  const code = `const Real = Date; globalThis.Date = class extends Real {
    constructor(...given) { super(...(given.length === 0 ? [Real.now() + ${ms}] : given)); }
    static now() { return Real.now() + ${ms}; }
  };`;
  return `--import=data:text/javascript,${encodeURIComponent(code)}`;
};

const clockSeenBy = (option: string): number =>
  Number(execFileSync(process.execPath, ["-p", "Date.now()"], { env: { NODE_OPTIONS: option } }));

beforeAll(async () => {
  const servers = { natsUrl: inject("natsUrl"), postgresUrl: inject("postgresUrl"), valkeyUrl: inject("valkeyUrl") };
  chat = await chatUnderTest(servers);
  await Promise.all([chat.startCommands(), chat.startProjector()]);
  const start = async ([name, ms]: (typeof apart)[number]) => {
    const env = { HUB_NAME: name, HUB_LOG_LEVEL: "error", NODE_OPTIONS: clockOffBy(ms) };
    edges.set(name, await startEdgeProcess({ ...chat.box.env, ...env }));
  };
  [sound] = await Promise.all([chat.startEdge(), ...apart.map(start)]);
  ada = await chat.person(sound, "ada");
});
afterAll(async () => {
  killEdgeProcesses();
  await chat?.close();
});

const upTo = (s: number) => Array.from({ length: s }, (_, at) => at + 1);

describe.each(apart)("an edge whose clock is an hour %s", (name, ms) => {
  test("serves like any other: commands, history, looking back, and the end of a session", async () => {
    const url = edges.get(name)?.url ?? "";
    expect(Math.abs(clockSeenBy(clockOffBy(ms)) - Date.now() - ms)).toBeLessThan(60_000);
    const a = ada.connect({ url });
    const { room } = await a.client.command("createRoom", { name: "Engine" });
    expect(await a.client.command("postMessage", { room, text: "what time is it?" })).toMatchObject({ s: 2 });
    const headers = { authorization: `Bearer ${ada.session.token}`, "content-type": "application/json" };
    const body = JSON.stringify({ room, text: "by HTTP, without a key" });
    const posted = await fetch(`${url}/v1/commands/postMessage`, { method: "POST", headers, body });
    expect(await posted.json()).toMatchObject({ ok: { s: 3 } });
    await vi.waitFor(() => expect(a.events(room).map((event) => Number.parseInt(event, 10))).toEqual(upTo(3)));
    const bare = await bareSocket(url, ada.session.token);
    const { now } = (await bare.first<{ hello: { now: string } }>("hello")).hello;
    expect(Math.abs(Date.parse(now) - Date.now())).toBeLessThan(5_000);
    const asOf = (at: number) => bare.ask({ q: "asOf", d: { room, at: new Date(at).toISOString() } });
    const at = Date.now();
    await vi.waitFor(async () => expect(await asOf(at)).toMatchObject({ ok: { s: 3 } }));
    expect(await asOf(Date.now() + hourMs / 2)).toMatchObject({ err: { name: "NotYet" } });
    bare.close();
    const eve = await chat.person(sound, "eve");
    const e = eve.connect({ url });
    await vi.waitFor(() => expect(e.client.state).toBe("online"));
    const begun = performance.now();
    await signOut({ url: sound.url, token: eve.session.token });
    expect(performance.now() - begun).toBeLessThan(4_000);
    await vi.waitFor(() => expect(e.told.at(-1)).toBe("closed SessionEnded"));
  });
});

describe("a key of a client whose clock is an hour", () => {
  const dated = (ms: number) => derivedId(Date.now() + ms, randomUUID());
  let socket: BareSocket;
  beforeAll(async () => {
    socket = await bareSocket(sound.url, ada.session.token);
  });
  const createRoom = (k: string) => socket.ask({ m: "createRoom", d: { name: "Engine" }, k });

  test("ahead is refused, and never counts for anything", async () => {
    const key = dated(hourMs);
    for (const _ of [1, 2])
      expect(await createRoom(key)).toMatchObject({ err: { name: "KeyDatedAhead", retry: false } });
  });

  test("behind is taken, and the same key is the same command", async () => {
    const key = dated(-hourMs);
    const first = await createRoom(key);
    expect(first).toMatchObject({ ok: { s: 1 } });
    expect((await createRoom(key)).ok).toEqual(first.ok);
  });
});
