import { uuidV7Time } from "@connect-hub/domain/values";
import type { RoomEvent } from "@connect-hub/protocol";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { ConnectOptions } from "./client.ts";
import { connect } from "./connect.ts";
import type { WebSocketLike } from "./webSocketLike.ts";

const room = "01968a5e-7c1a-7000-8000-3d2c1b0a9f8e";
const epoch = "a1b2c3d4";
const state = { id: room, name: "Engine", type: "group", s: 2, from: 1, epoch, role: "owner", members: 1 } as const;
const event = (s: number): RoomEvent => ({ r: room, s, t: "messagePosted", d: { text: `${s}` }, by: "u1", at: "" });
const position = "p1.e30";

/** A socket whose other end is the test. */
class FakeSocket implements WebSocketLike {
  static all: FakeSocket[] = [];
  static get last(): FakeSocket {
    const last = FakeSocket.all.at(-1);
    if (last === undefined) throw new Error("no socket was opened");
    return last;
  }
  readonly sent: unknown[] = [];
  closedWith: number | undefined;
  onopen: WebSocketLike["onopen"] = null;
  onmessage: WebSocketLike["onmessage"] = null;
  onclose: WebSocketLike["onclose"] = null;
  onerror: WebSocketLike["onerror"] = null;

  constructor(readonly url: string) {
    FakeSocket.all.push(this);
  }
  send(text: string): void {
    this.sent.push(JSON.parse(text));
  }
  close(code = 1005): void {
    this.closedWith = code;
  }
  says(frame: unknown): void {
    this.onmessage?.({ data: JSON.stringify(frame) } as never);
  }
  dies(code = 1006): void {
    this.onclose?.({ code } as never);
  }
}

beforeEach(() => {
  vi.useFakeTimers();
  FakeSocket.all = [];
});
afterEach(() => void vi.useRealTimers());

function connected(options: Partial<ConnectOptions> = {}) {
  const seen: number[] = [];
  const states: string[] = [];
  const client = connect({
    url: ["http://one:1", "http://two:2/"],
    token: "session.secret",
    WebSocket: FakeSocket,
    random: () => 0.5,
    history: 0,
    onEvents: (_, events) => void seen.push(...events.map(({ s }) => s)),
    onState: (next) => void states.push(next),
    ...options,
  });
  vi.advanceTimersByTime(0);
  return { client, seen, states };
}

function signsIn(rooms: readonly object[] = [state], version = 1, now = ""): void {
  FakeSocket.last.says({ hello: { sid: "s", v: "chat.v1", heartbeatMs: 10_000, now, limits: { inFlight: 64 } } });
  FakeSocket.last.says({ ready: { user: { id: "u1", name: "Ada" }, rooms, version, position } });
}

describe("a connection", () => {
  test("waits for hello, sends the token, is online at ready", () => {
    const { client, states } = connected();
    expect(FakeSocket.last.url).toBe("ws://one:1/v1/socket");
    expect(FakeSocket.last.sent).toEqual([]);
    signsIn();
    expect(FakeSocket.last.sent).toEqual([{ auth: { token: "session.secret", resume: {} } }]);
    expect([client.state, client.user?.name, states]).toEqual(["online", "Ada", ["connecting", "online"]]);
  });

  test("comes back after a dead line, at the next address, and resumes", () => {
    const { seen } = connected();
    signsIn();
    FakeSocket.last.says([event(3), event(4)]);
    FakeSocket.last.dies();
    vi.advanceTimersByTime(124);
    expect(FakeSocket.all.length).toBe(1);
    vi.advanceTimersByTime(1);
    expect(FakeSocket.last.url).toBe("ws://two:2/v1/socket");
    signsIn([{ ...state, s: 5 }]);
    expect(FakeSocket.last.sent[0]).toEqual({ auth: { token: "session.secret", resume: { [room]: [epoch, 4] } } });
    FakeSocket.last.says(event(5));
    FakeSocket.last.says({ resumed: { [room]: ["ok", epoch, 5] } });
    expect(seen).toEqual([3, 4, 5]);
  });

  test("resumes first what somebody looks at, and no more rooms at once than the server takes", () => {
    const ids = Array.from({ length: 1_001 }, (_, at) => `00000000-0000-7000-8000-${String(at).padStart(12, "0")}`);
    const cursors = Object.fromEntries(ids.map((id) => [id, [epoch, 2] as const]));
    const { client } = connected({ cursors: cursors as never, history: 0 });
    client.room(ids[500] ?? "");
    signsIn(ids.map((id) => ({ ...state, id })));
    const [{ auth }] = FakeSocket.last.sent as [{ auth: { resume: object } }];
    const resumed = Object.keys(auth.resume);
    expect([resumed.length, ...resumed.slice(0, 2)]).toEqual([1_000, ids[500], ids[0]]);
    FakeSocket.last.says({ resumed: Object.fromEntries(resumed.map((id) => [id, ["ok", epoch, 2]])) });
    FakeSocket.last.says({ resync: { rooms: ids } });
    const frames = (FakeSocket.last.sent as object[]).flatMap((frame) =>
      "resume" in frame ? [Object.keys(frame.resume as object)] : [],
    );
    expect(frames.map(({ length }) => length)).toEqual([1_000, 1]);
    expect(new Set(frames.flat())).toEqual(new Set(ids));
  });

  test.each([-3_600_000, 3_600_000])("whose clock is %d ms off dates its keys by the server's", (offMs) => {
    const { client } = connected();
    const now = Date.now() - offMs;
    signsIn([state], 1, new Date(now).toISOString());
    void client.command("leaveRoom", { room }).catch(() => undefined);
    const { k } = FakeSocket.last.sent.at(-1) as { k: string };
    expect(Math.abs(uuidV7Time(k) - now)).toBeLessThan(1_000);
  });

  test("waits longer from failure to failure, but not longer than 10 seconds", () => {
    connected({ random: () => 1 });
    for (const waitMs of [250, 500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000]) {
      const { length } = FakeSocket.all;
      FakeSocket.last.dies();
      vi.advanceTimersByTime(waitMs - 1);
      expect(FakeSocket.all.length).toBe(length);
      vi.advanceTimersByTime(1);
      expect(FakeSocket.all.length).toBe(length + 1);
    }
  });

  test("comes back when a server that stops said, and a random time later", () => {
    connected();
    signsIn();
    FakeSocket.last.says({ err: { code: 111, name: "ShuttingDown", retry: true, afterMs: 640 } });
    FakeSocket.last.dies(1012);
    vi.advanceTimersByTime(640 + 125 - 1);
    expect(FakeSocket.all.length).toBe(1);
    vi.advanceTimersByTime(1);
    expect(FakeSocket.all.length).toBe(2);
  });

  test("drops a line on which a heartbeat is not answered", () => {
    const { client } = connected();
    signsIn();
    vi.advanceTimersByTime(10_000);
    expect(FakeSocket.last.sent.at(-1)).toEqual({ hb: 1 });
    FakeSocket.last.says({ hb: { n: 1, version: 1, heads: {} } });
    vi.advanceTimersByTime(10_000);
    expect(client.state).toBe("online");
    vi.advanceTimersByTime(10_000);
    expect([client.state, FakeSocket.all[0]?.closedWith]).toEqual(["waiting", 1005]);
  });

  test("leaves who listens but says nothing for another, after 4 s, the next times after 8 s and 10 s, give or take a quarter", () => {
    connected({ random: () => 0 });
    for (const timeoutMs of [3_000, 6_000, 7_500, 7_500]) {
      const socket = FakeSocket.last;
      vi.advanceTimersByTime(timeoutMs - 1);
      expect(socket.closedWith).toBeUndefined();
      vi.advanceTimersByTime(1);
      expect(socket.closedWith).toBe(1005);
      vi.advanceTimersByTime(1);
      expect(FakeSocket.last).not.toBe(socket);
    }
  });

  test("drops a line that never gets ready", () => {
    connected();
    FakeSocket.last.says({ hello: { sid: "s", v: "chat.v1", heartbeatMs: 10_000, now: "", limits: {} } });
    vi.advanceTimersByTime(9_999);
    expect(FakeSocket.all[0]?.closedWith).toBeUndefined();
    vi.advanceTimersByTime(1);
    expect(FakeSocket.all[0]?.closedWith).toBe(1005);
    vi.advanceTimersByTime(250);
    expect(FakeSocket.all.length).toBe(2);
  });

  test("is closed for good when the session ended", async () => {
    const { client, states } = connected();
    signsIn();
    const asked = client.query("rooms", {});
    FakeSocket.last.says({ err: { code: 303, name: "SessionEnded", retry: false } });
    await expect(asked).rejects.toMatchObject({ name: "SessionEnded" });
    vi.advanceTimersByTime(60_000);
    expect([FakeSocket.all.length, states.at(-1)]).toEqual([1, "closed"]);
  });
});

describe("a command", () => {
  test("goes out again with the same key and number on the next line, and is answered once", async () => {
    const { client } = connected();
    signsIn();
    const posted = client.command("postMessage", { room, text: "Hello." });
    const first = FakeSocket.last.sent.at(-1);
    expect(first).toEqual({ i: 1, m: "postMessage", d: { room, text: "Hello." }, k: expect.any(String), a: position });
    client.cutLine();
    vi.advanceTimersByTime(250);
    signsIn();
    expect(FakeSocket.last.sent.at(-1)).toEqual(first);
    FakeSocket.last.says({ i: 1, ok: { room, s: 3, m: 1 }, p: position });
    expect(await posted).toEqual({ room, s: 3, m: 1 });
  });

  test("made before the line is up waits for it", () => {
    const { client } = connected();
    void client.command("leaveRoom", { room }, { key: "01968a5e-7c1b-7abc-9def-0123456789ab" });
    expect(FakeSocket.last.sent).toEqual([]);
    signsIn();
    expect(FakeSocket.last.sent.at(-1)).toMatchObject({ m: "leaveRoom", k: "01968a5e-7c1b-7abc-9def-0123456789ab" });
  });
});

describe("rooms", () => {
  test("new ones are loaded by paging back", async () => {
    const { seen } = connected({ history: 300 });
    signsIn([{ ...state, s: 250 }]);
    const pages = () => FakeSocket.last.sent.filter((frame) => JSON.stringify(frame).includes("history"));
    expect(pages()).toEqual([expect.objectContaining({ q: "history", d: { room, before: 251, limit: 200 } })]);
    const page = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, at) => event(from + at));
    FakeSocket.last.says({ i: 1, ok: { events: page(51, 250), more: true, epoch, head: 250 }, p: position });
    await vi.advanceTimersByTimeAsync(0);
    expect(pages()[1]).toMatchObject({ d: { room, before: 51, limit: 100 } });
    FakeSocket.last.says(event(251));
    FakeSocket.last.says({ i: 2, ok: { events: page(1, 50), more: false, epoch, head: 251 }, p: position });
    await vi.advanceTimersByTimeAsync(0);
    expect(seen).toEqual(page(1, 251).map(({ s }) => s));
  });

  test("one that the user left or came into is told, also when only the version shows it", async () => {
    const told: string[] = [];
    const { client } = connected({
      onRoom: ({ id }) => void told.push(`in ${id.slice(-2)}`),
      onLeft: (id) => void told.push(`out ${id.slice(-2)}`),
    });
    signsIn([]);
    FakeSocket.last.says({ room: state });
    FakeSocket.last.says({ left: { r: room } });
    vi.advanceTimersByTime(10_000);
    FakeSocket.last.says({ hb: { n: 1, version: 3, heads: {} } });
    expect(FakeSocket.last.sent.at(-1)).toMatchObject({ q: "rooms" });
    FakeSocket.last.says({ i: 1, ok: { rooms: [state], version: 3 }, p: position });
    await vi.advanceTimersByTimeAsync(0);
    expect(told).toEqual(["in 8e", "out 8e", "in 8e"]);
    expect([...client.rooms.keys()]).toEqual([room]);
  });

  test("listeners of one room get its events", () => {
    const { client } = connected();
    signsIn();
    const got: number[] = [];
    const off = client.onEvent(room, ({ s }) => void got.push(s));
    FakeSocket.last.says([event(3), event(4)]);
    off();
    FakeSocket.last.says(event(5));
    expect(got).toEqual([3, 4]);
  });
});
