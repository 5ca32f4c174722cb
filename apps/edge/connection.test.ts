import type { SendOutcome, Socket } from "@connect-hub/uws";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Connection, maxUnsentBytes } from "./connection.ts";
import { Refused } from "./refusals.ts";
import { revokeMs } from "./revokes.ts";
import type { Reader } from "./roomFeed.ts";

/** A socket of which the test says how fast its peer reads. */
class FakeSocket implements Socket {
  readonly remoteAddress = "::1";
  readonly sent: string[] = [];
  bufferedBytes = 0;
  outcome: SendOutcome = "sent";
  closedWith: number | undefined;
  onClose: () => void = () => undefined;
  send(message: string | Uint8Array): SendOutcome {
    if (this.outcome !== "dropped") this.sent.push(Buffer.from(message).toString());
    return this.outcome;
  }
  cork(work: () => void): void {
    work();
  }
  subscribe(): void {}
  unsubscribe(): void {}
  close(code: number): void {
    this.closedWith = code;
    this.onClose();
  }
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function connected(mayServe = () => true) {
  const socket = new FakeSocket();
  const stopped: string[] = [];
  const bugs: unknown[] = [];
  const ended: Connection[] = [];
  const connection = new Connection(socket, {
    ip: "::1",
    userAgent: "test",
    onEnd: (which) => void ended.push(which),
    mayServe,
    stop: ({ room }) => void stopped.push(room),
    onBug: (error) => void bugs.push(error),
  });
  socket.onClose = () => connection.closed();
  const sent = () => socket.sent.map((text) => JSON.parse(text) as Record<string, unknown>);
  const ready = () => {
    connection.who = { user: "u1", session: "s1", name: "Ada" };
    connection.signingIn();
    connection.signedIn();
    return connection;
  };
  return { socket, connection, sent, stopped, bugs, ended, ready };
}

const reader = (room: string): Reader => ({
  socket: {} as never,
  room,
  phase: "live",
  goneAt: undefined,
  since: Promise.resolve(0),
  feed: {} as never,
  headTold: undefined,
});

describe("a socket", () => {
  test("is greeted, and closed when it does not sign in within 5 seconds", () => {
    const { socket, sent, ended } = connected();
    expect(sent()[0]).toMatchObject({ hello: { v: "chat.v1", limits: { textLength: 8_000 } } });
    vi.advanceTimersByTime(4_999);
    expect(socket.closedWith).toBeUndefined();
    vi.advanceTimersByTime(1);
    expect([socket.closedWith, sent().at(-1), ended.length]).toEqual([4105, { err: expect.anything() }, 1]);
  });

  test("that is ended gets the answers it is owed first, and no events any more", () => {
    const { socket, connection, sent, ready } = connected();
    ready();
    connection.inFlight = 1;
    connection.end("SessionEnded");
    connection.sendEvents(Buffer.from('{"r":"r1","s":1}'));
    expect(socket.closedWith).toBeUndefined();
    connection.answer(7, { ok: {}, p: "p" });
    expect(sent().slice(1)).toEqual([
      { i: 7, ok: {}, p: "p" },
      { err: expect.objectContaining({ name: "SessionEnded" }) },
    ]);
    expect(socket.closedWith).toBe(4303);
  });

  test("whose session ends is told the answer to that first, also when it comes as late as it may", () => {
    const { connection, sent, ready } = connected();
    ready();
    connection.inFlight = 1;
    connection.end("SessionEnded");
    vi.advanceTimersByTime(5_500 + revokeMs);
    connection.answer(7, { ok: {}, p: "p" });
    expect(sent().slice(1)).toMatchObject([{ i: 7, ok: {} }, { err: { name: "SessionEnded" } }]);
  });

  test("is not kept for ever by an answer that does not come", () => {
    const { socket, connection, ready, ended } = connected();
    ready();
    connection.inFlight = 1;
    connection.end("ShuttingDown", 100);
    connection.end("ShuttingDown", 200);
    vi.advanceTimersByTime(1_000);
    expect([socket.closedWith, ended.length]).toEqual([1012, 1]);
  });

  test("that is ended is not told that its user left any room", () => {
    const { connection, sent, ready } = connected();
    ready();
    connection.inFlight = 1;
    connection.end("ShuttingDown");
    connection.left("r1");
    expect(sent()).toHaveLength(1);
  });

  test("that fails is closed with what its error says: to be tried again, or not", () => {
    const away = connected();
    away.connection.fail(new Refused("NotCaughtUp"));
    const wrong = connected();
    wrong.connection.fail(new Refused("BadCursor"));
    const bug = connected();
    bug.connection.fail(new Error("what?"));
    expect([away.socket.closedWith, wrong.socket.closedWith, bug.socket.closedWith]).toEqual([1013, 1008, 1008]);
    expect([away.bugs.length, bug.bugs.length]).toEqual([0, 1]);
  });
});

describe("a reader that is too slow", () => {
  test("has its rooms stopped, keeps what it is owed, and resumes when it has read on", () => {
    const { socket, connection, sent, stopped, ready } = connected();
    ready();
    connection.readers.put(reader("r1"));
    socket.outcome = "dropped";
    socket.bufferedBytes = 1_000_000;
    connection.sendEvents(Buffer.from('{"r":"r1","s":1}'));
    connection.tell({ i: 1, ok: {}, p: "p" });
    expect(stopped).toEqual([]);
    vi.runAllTimers();
    expect(stopped).toEqual(["r1"]);
    socket.outcome = "sent";
    connection.sendEvents(Buffer.from('{"r":"r1","s":2}'));
    socket.bufferedBytes = 1_000;
    connection.drained();
    expect(sent()).toHaveLength(1);
    socket.bufferedBytes = 0;
    connection.drained();
    expect(sent().slice(1)).toEqual([{ i: 1, ok: {}, p: "p" }, { resync: { rooms: ["r1"] } }]);
  });

  test("that reads nothing is turned away once 4 MiB wait for it, and asked nothing more", () => {
    const { socket, connection, sent, ready, ended } = connected();
    ready();
    socket.outcome = "dropped";
    connection.inFlight = 64;
    const text = "x".repeat(1024 * 1024 - 100);
    for (let i = 1; i <= 4; i++) connection.answer(i, { ok: text, p: "p" });
    expect([socket.closedWith, connection.inFlight]).toEqual([undefined, 64]);
    connection.answer(5, { ok: text, p: "p" });
    expect([socket.closedWith, ended.length, sent().length]).toEqual([1013, 1, 1]);
  });

  test.each([-1, 0, 1])("is turned away beyond 4 MiB that it is owed, tried with %i bytes more", (more) => {
    const { socket, connection, ready } = connected();
    ready();
    socket.outcome = "dropped";
    const owe = (bytes: number) => connection.tell({ x: "x".repeat(bytes - '{"x":""}'.length) });
    owe(maxUnsentBytes / 2);
    expect(connection.waitingBytes).toBe(maxUnsentBytes / 2);
    owe(maxUnsentBytes / 2 + more);
    expect(socket.closedWith).toBe(more > 0 ? 1013 : undefined);
    expect(connection.waitingBytes).toBe(more > 0 ? 0 : maxUnsentBytes + more);
  });

  test("holds its requests until their answers have left", () => {
    const { socket, connection, ready } = connected();
    ready();
    socket.outcome = "dropped";
    connection.inFlight = 2;
    connection.answer(1, { ok: {}, p: "p" });
    expect(connection.inFlight).toBe(2);
    socket.outcome = "sent";
    connection.drained();
    expect(connection.inFlight).toBe(1);
  });

  test("is not waited for when its socket is ended", () => {
    const { socket, connection, ready } = connected();
    ready();
    socket.outcome = "dropped";
    connection.inFlight = 1;
    connection.answer(1, { ok: {}, p: "p" });
    connection.end("SessionEnded");
    expect(socket.closedWith).toBe(4303);
  });

  test("is waited for with what is long", async () => {
    const { socket, connection, ready } = connected();
    ready();
    await connection.calm();
    socket.bufferedBytes = 300_000;
    let isCalm = false;
    const waiting = connection.calm().then(() => {
      isCalm = true;
    });
    await Promise.resolve();
    expect(isCalm).toBe(false);
    socket.bufferedBytes = 100_000;
    connection.drained();
    await waiting;
    expect(isCalm).toBe(true);
  });
});

test("without a lease nothing leaves but refusals and the answers to heartbeats; who was to be told something is ended", () => {
  let mayServe = true;
  const { sent, socket, ready } = connected(() => mayServe);
  const connection = ready();
  connection.inFlight = 1;
  mayServe = false;
  const before = sent().length;
  connection.beat({ n: 1 });
  connection.sendEvents(Buffer.from("[]"));
  connection.tell({ left: { r: "r1" } });
  // What it was cut off from does not go on by itself.
  mayServe = true;
  connection.tell({ left: { r: "r2" } });
  connection.answer(1, { ok: {}, p: "" });
  vi.runAllTimers();
  expect(sent().slice(before)).toMatchObject([
    { hb: { n: 1 } },
    { i: 1, err: { name: "Unavailable" } },
    { err: { name: "Unavailable", retry: true } },
  ]);
  expect(socket.closedWith).toBe(1013);
});
