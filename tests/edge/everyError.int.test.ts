import { randomBytes, randomUUID } from "node:crypto";
import { rmSync } from "node:fs";
import { request } from "node:http";
import { type Command, encodeBeat, subjects } from "@connect-hub/domain/kernel";
import { decodePosition, encodePosition, limits, type RefusalCode } from "@connect-hub/domain/values";
import { natsLiveBus, serveCommands } from "@connect-hub/jetstream";
import { openPool } from "@connect-hub/postgres";
import { type ErrorName, errorEntry, errorNames, type WireError } from "@connect-hub/protocol";
import { afterAll, beforeAll, describe, expect, inject, test, vi } from "vitest";
import { type BareSocket, bareSocket, newKey } from "../support/bareSocket.ts";
import { type ChatUnderTest, chatUnderTest, type Person, type StartedEdge } from "../support/chat.ts";
import { aboutUpload, begin, download, goOn, sha256, upload } from "../support/files.ts";

// One case for each row of the error table, each at the real doors of a running edge. A code without a case fails.

/** An error as it came out of a door. */
interface Produced {
  readonly err: WireError;
  readonly http?: number;
  readonly close?: number;
}

const servers = () => ({
  natsUrl: inject("natsUrl"),
  postgresUrl: inject("postgresUrl"),
  valkeyUrl: inject("valkeyUrl"),
});
let chat: ChatUnderTest;
let edge: StartedEdge;
let ada: Person;
let bob: Person;
let a: BareSocket;
let b: BareSocket;
let room: string;

beforeAll(async () => {
  chat = await chatUnderTest(servers());
  await chat.startCommands();
  await chat.startProjector();
  edge = await chat.startEdge();
  ada = await chat.person(edge, "ada");
  bob = await chat.person(edge, "bob");
  a = await bareSocket(edge.url, ada.session.token);
  b = await bareSocket(edge.url, bob.session.token);
  room = await makeRoom([bob.user]);
});
afterAll(() => chat?.close());

const command = (m: string, d: object, k = newKey()) => ({ m, d, k });
const query = (q: string, d: object, parts: object = {}) => ({ q, d, ...parts });
const errIn = ({ err, ...rest }: Record<string, unknown>): WireError => {
  expect(err, JSON.stringify(rest)).toBeDefined();
  return err as WireError;
};
const refused = async (socket: BareSocket, request: object): Promise<Produced> => ({
  err: errIn(await socket.ask(request)),
});
const okOf = async (socket: BareSocket, request: object): Promise<Record<string, unknown>> => {
  const answer = await socket.ask(request);
  expect(answer.err).toBeUndefined();
  return answer.ok as Record<string, unknown>;
};

async function makeRoom(members: string[]): Promise<string> {
  return String((await okOf(a, command("createRoom", { name: "Engine", members }))).room);
}

async function post(text: string): Promise<number> {
  return Number((await okOf(a, command("postMessage", { room, text }))).s);
}

async function overHttp(path: string, init?: RequestInit, { url } = edge): Promise<Produced> {
  const response = await fetch(`${url}${path}`, init);
  return { err: errIn((await response.json()) as Record<string, unknown>), http: response.status };
}

const postHttp = (path: string, body: object | string, key?: string, at = edge): Promise<Produced> =>
  overHttp(
    path,
    {
      method: "POST",
      body: typeof body === "string" ? body : JSON.stringify(body),
      headers: key === undefined ? {} : { "idempotency-key": key },
    },
    at,
  );

const userAt = ({ url }: StartedEdge) => ({ url, token: ada.session.token });

function failedUpload({ status, err }: { readonly status: number; readonly err?: WireError }): Produced {
  return { err: errIn({ err }), http: status };
}

/** What a socket that sends this is told, and how it is closed. */
async function closing(frame: object | string | undefined, token?: string): Promise<Produced> {
  const socket = await bareSocket(edge.url, token);
  if (frame !== undefined) socket.send(frame);
  const told = await socket.first<{ err: WireError }>("err");
  return { err: told.err, close: await socket.closed };
}

/** What a socket that sends this is told; it must go on working afterwards. */
async function complaint(frame: object | string): Promise<Produced> {
  const socket = await bareSocket(edge.url, ada.session.token);
  socket.send(frame);
  const told = await socket.first<{ err: WireError }>("err");
  socket.send({ hb: 1 });
  await socket.first("hb");
  socket.close();
  return { err: told.err };
}

/** A position that no lane has reached. */
async function beyond(): Promise<string> {
  const { p } = await a.ask(query("rooms", {}));
  const lanes = Object.entries(decodePosition(String(p)) ?? {});
  return encodePosition(Object.fromEntries(lanes.map(([lane, at]) => [lane, [at?.[0] ?? "", 1_000_000]])));
}

/** A box whose writer is the test, which refuses everything with `code`; without a code there is none. */
async function withWriter(code: RefusalCode | undefined): Promise<Produced> {
  const other = await chatUnderTest(servers());
  try {
    const { link, prefix } = other.box;
    const names = subjects(prefix);
    const real = await other.startCommands();
    const beat = await other.box.nextBeat("rooms.0");
    const door = await other.startEdge();
    const eve = await other.person(door, "eve");
    const socket = await bareSocket(door.url, eve.session.token);
    await real.close();
    const seen: Command[] = [];
    const serving = serveCommands(link, {
      subject: names.commands("rooms.0", "fake"),
      onMalformed: () => undefined,
      onCommand(one, answer) {
        seen.push(one);
        answer({ refused: { code: code ?? "Busy" } });
      },
    });
    const fake = { ...beat, term: beat.term + 1, writer: "fake" };
    const ask = () => refused(socket, command("createRoom", { name: "Engine" }));
    // The edge hears of it in its own time; until then it asks one who is gone.
    const answered = await vi.waitFor(
      async () => {
        natsLiveBus(link).publish(names.beat("rooms.0"), encodeBeat(fake));
        const produced = await ask();
        expect(seen).toHaveLength(1);
        return produced;
      },
      { timeout: 30_000 },
    );
    await serving.close();
    return code === undefined ? await ask() : answered;
  } finally {
    await other.close();
  }
}

const cases: { readonly [name in ErrorName]: () => Promise<Produced> } = {
  // The protocol
  async BadJson() {
    expect(await postHttp("/v1/register", "{")).toMatchObject({ http: 400, err: { name: "BadJson" } });
    return closing("{", ada.session.token);
  },
  async BadFrame() {
    for (const frame of ["7", "null", "[]", { hello: 1 }, { hb: "x" }, { i: 1, m: "postMessage" }]) {
      expect((await complaint(frame)).err.name).toBe("BadFrame");
    }
    return complaint({ auth: { token: ada.session.token } });
  },
  async FrameTooLarge() {
    const most = JSON.stringify({ hb: 1, pad: "x".repeat(limits.frameBytes - 17) });
    expect(most.length).toBe(limits.frameBytes);
    expect((await complaint(most)).err.name).toBe("BadFrame");
    const tooLarge = await postHttp("/v1/register", "x".repeat(limits.bodyBytes + 1));
    expect(tooLarge).toMatchObject({ http: 413, err: { name: "FrameTooLarge" } });
    return closing(`${most} `, ada.session.token);
  },
  async NotAuthenticated() {
    expect(await overHttp("/v1/rooms")).toMatchObject({ http: 401, err: { name: "NotAuthenticated" } });
    expect((await closing({ auth: { token: "not a token" } })).err.name).toBe("NotAuthenticated");
    return closing({ hb: 1 });
  },
  AuthTimeout: () => closing(undefined),
  async TooManyInFlight() {
    const socket = await bareSocket(edge.url, ada.session.token);
    const future = await beyond();
    await okOf(socket, query("rooms", {}));
    // Each is answered soon, on a busy machine before the last is read.
    const produced = await vi.waitFor(
      () => {
        for (let at = 0; at < limits.inFlight; at++)
          socket.send({ i: 1_000 + at, ...query("rooms", {}, { a: future }) });
        return refused(socket, query("rooms", {}));
      },
      { timeout: 30_000 },
    );
    socket.close();
    return produced;
  },
  async BadCursor() {
    expect((await complaint({ resume: { lobby: ["a1b2c3d4", 1] } })).err.name).toBe("BadCursor");
    return complaint({ resume: { [room]: "newest" } });
  },
  TooManyRooms: () =>
    complaint({ resume: Object.fromEntries(Array.from({ length: limits.resumeRooms + 1 }, () => [randomUUID(), 0])) }),
  async TooManyAttempts() {
    const strict = await chat.startEdge({ HUB_ATTEMPTS_PER_MINUTE: "1" });
    const produced = await postHttp("/v1/sign-in", { email: ada.email, password: "wrong password" }, undefined, strict);
    await strict.close();
    expect(produced.err.afterMs).toBeGreaterThan(0);
    return produced;
  },
  async NotFound() {
    expect((await overHttp("/v1/register")).err.name).toBe("NotFound");
    return overHttp("/nothing/here");
  },
  async ShuttingDown() {
    const leaving = await chat.startEdge();
    const socket = await bareSocket(leaving.url, ada.session.token);
    await leaving.close();
    const told = await socket.first<{ err: WireError }>("err");
    return { err: told.err, close: await socket.closed };
  },
  async OriginNotAllowed() {
    return overHttp("/v1/sign-in", { method: "POST", body: "{}", headers: { origin: "https://evil.example" } });
  },
  async Internal() {
    const other = await chatUnderTest(servers());
    try {
      await other.startCommands();
      const door = await other.startEdge();
      const eve = await other.person(door, "eve");
      const pool = openPool(other.box.databaseUrl, { name: "tests", max: 1 });
      await pool.query("alter view chat.memberships rename column user_id to gone");
      await pool.end();
      const headers = { authorization: `Bearer ${eve.session.token}` };
      const produced = await overHttp("/v1/rooms", { headers }, door);
      expect((await overHttp("/v1/rooms", {}, door)).err.name).toBe("NotAuthenticated");
      return produced;
    } finally {
      await other.close();
    }
  },

  // The request
  async BadInput() {
    for (const d of [
      {},
      { room: "lobby", text: "x" },
      { room, text: "" },
      { room, text: 7 },
      { room, text: "x", y: 1 },
    ]) {
      expect((await refused(a, command("postMessage", d))).err.name).toBe("BadInput");
    }
    const deep = `${"[".repeat(30_000)}${"]".repeat(30_000)}`;
    expect((await postHttp("/v1/sign-in", `{"email":${deep}}`)).err.name).toBe("BadInput");
    const text = `{"i":1,"m":"postMessage","d":{"room":"${room}","text":${deep}},"k":"${newKey()}"}`;
    expect((await complaint(text)).err.name).toBe("BadInput");
    const { http, err } = await postHttp("/v1/register", { email: "nowhere", password: "short", name: "" });
    expect([http, err.name]).toEqual([400, "BadInput"]);
    for (const limit of [0, limits.historyPage + 1]) {
      expect((await refused(a, query("history", { room, limit }))).err.name).toBe("BadInput");
    }
    await okOf(a, query("history", { room, limit: limits.historyPage }));
    await okOf(a, command("renameRoom", { room, name: "n".repeat(limits.roomNameLength) }));
    const longName = "n".repeat(limits.roomNameLength + 1);
    expect((await refused(a, command("renameRoom", { room, name: longName }))).err.name).toBe("BadInput");
    for (const length of [limits.textLength - 1, limits.textLength]) await post("x".repeat(length));
    const named = (length: number) => upload(userAt(edge), room, randomBytes(1), { name: "n".repeat(length) });
    for (const length of [0, limits.fileNameLength + 1]) expect((await named(length)).err?.name).toBe("BadInput");
    for (const length of [limits.fileNameLength - 1, limits.fileNameLength])
      expect((await named(length)).status).toBe(201);
    const made = [];
    for (let at = 0; at <= limits.filesPerMessage; at++) made.push(await upload(userAt(edge), room, randomBytes(1)));
    const files = made.map(({ ok }) => ok.file);
    const position = made.at(-1)?.p;
    const withFiles = (from: number, to: number) => ({
      ...command("postMessage", { room, files: files.slice(from, to) }),
      a: position,
    });
    expect((await refused(a, withFiles(0, limits.filesPerMessage + 1))).err.name).toBe("BadInput");
    await okOf(a, withFiles(0, limits.filesPerMessage));
    expect((await refused(a, withFiles(limits.filesPerMessage - 1, limits.filesPerMessage))).err.name).toBe(
      "FileNotFound",
    );
    await okOf(a, withFiles(limits.filesPerMessage, limits.filesPerMessage + 1));
    return refused(a, command("postMessage", { room, text: "x".repeat(limits.textLength + 1) }));
  },
  async UnknownMethod() {
    expect((await refused(a, command("signIn", {}))).err.name).toBe("UnknownMethod");
    expect((await refused(a, query("toString", {}))).err.name).toBe("UnknownMethod");
    return refused(a, command("paintTheRoof", {}));
  },
  async KeyReused() {
    const key = newKey();
    const first = await okOf(a, command("postMessage", { room, text: "one" }, key));
    expect(await okOf(a, command("postMessage", { room, text: "one" }, key))).toEqual(first);
    return refused(a, command("postMessage", { room, text: "two" }, key));
  },
  KeyDatedAhead() {
    const ahead = (Date.now() + limits.idAheadMs + 60_000).toString(16).padStart(12, "0");
    const key = `${ahead.slice(0, 8)}-${ahead.slice(8)}-7${newKey().slice(15)}`;
    return refused(a, command("postMessage", { room, text: "from the future" }, key));
  },
  async BadPosition() {
    expect((await refused(a, query("rooms", {}, { a: "p1.nonsense" }))).err.name).toBe("BadPosition");
    const otherEpoch = encodePosition({ "rooms.0": ["00000000", 1] });
    expect((await refused(a, query("rooms", {}, { a: otherEpoch }))).err.name).toBe("BadPosition");
    const future = await beyond();
    expect((await refused(a, query("rooms", {}, { a: future }))).err.name).toBe("BadPosition");
    expect((await refused(a, { ...command("postMessage", { room, text: "x" }), a: future })).err.name).toBe(
      "BadPosition",
    );
    return refused(a, { ...command("postMessage", { room, text: "x" }), a: "p1.nonsense" });
  },

  // Accounts
  async WrongCredentials() {
    const unknown = await postHttp("/v1/sign-in", { email: "nobody@example.org", password: "wrong password" });
    const wrong = await postHttp("/v1/sign-in", { email: ada.email, password: "wrong password" });
    expect(unknown).toEqual(wrong);
    return wrong;
  },
  EmailTaken: () => postHttp("/v1/register", { email: ada.email.toUpperCase(), password: "long enough", name: "Eve" }),
  async SessionEnded() {
    const eve = await chat.person(edge, "eve");
    await okOf(await bareSocket(edge.url, eve.session.token), command("signOut", {}));
    const { session } = ada.session;
    expect((await closing({ auth: { token: `${session}.${"A".repeat(43)}` } })).err.name).toBe("SessionEnded");
    return closing({ auth: { token: eve.session.token } });
  },
  async AccountClosed() {
    const eve = await chat.person(edge, "eve");
    return closing({ i: 1, ...command("closeAccount", { password: eve.password }) }, eve.session.token);
  },
  async PersonNotFound() {
    expect((await refused(a, command("addMember", { room, user: randomUUID() }))).err.name).toBe("PersonNotFound");
    return refused(a, query("findPerson", { email: "nobody@example.org" }));
  },

  // Rooms and messages
  async RoomNotFound() {
    const eve = await chat.person(edge, "eve");
    const e = await bareSocket(edge.url, eve.session.token);
    const outside = [
      await refused(e, command("postMessage", { room, text: "x" })),
      await refused(e, query("members", { room })),
    ];
    const unknown = await refused(e, command("postMessage", { room: randomUUID(), text: "x" }));
    expect(outside).toEqual([unknown, unknown]);
    const headers = { authorization: `Bearer ${eve.session.token}` };
    expect(await overHttp(`/v1/rooms/${room}/events`, { headers })).toMatchObject({ http: 404, err: unknown.err });
    return unknown;
  },
  NotAllowed: () => refused(b, command("renameRoom", { room, name: "Bob's" })),
  AlreadyAMember: () => refused(a, command("addMember", { room, user: bob.user })),
  NotInRoom: () => refused(a, command("removeMember", { room, user: randomUUID() })),
  LastOwner: () => refused(a, command("leaveRoom", { room })),
  async DialogIsFixed() {
    const { room: dialog } = await okOf(a, command("openDialog", { with: bob.user }));
    return refused(a, command("leaveRoom", { room: dialog }));
  },
  DialogWithSelf: () => refused(a, command("openDialog", { with: ada.user })),
  MessageNotFound: () => refused(a, command("editMessage", { room, message: 1_000_000, text: "x" })),
  async MessageIsDeleted() {
    const message = await post("soon gone");
    await okOf(a, command("deleteMessage", { room, message }));
    return refused(a, command("editMessage", { room, message, text: "x" }));
  },
  async TooManyEdits() {
    const message = await post("never right");
    for (let at = 0; at < limits.editsPerMessage; at++)
      await okOf(a, command("editMessage", { room, message, text: `${at}` }));
    return refused(a, command("editMessage", { room, message, text: "once more" }));
  },

  async NotYet() {
    const headers = { authorization: `Bearer ${ada.session.token}` };
    const asOf = (query: string) => overHttp(`/v1/rooms/${room}/as-of?${query}`, { headers });
    expect((await refused(a, query("asOf", { room, s: 1_000_000 }))).err).toMatchObject({ name: "NotYet" });
    for (const nonsense of ["", "s=1&at=2026-01-01", "at=soon", "s=0"])
      expect((await asOf(nonsense)).err.name).toBe("BadInput");
    expect((await asOf(`at=${new Date(Date.now() + 60_000).toISOString()}`)).err.name).toBe("NotYet");
    return asOf("s=1000000");
  },
  async BeforeHistory() {
    const eve = await chat.person(edge, "eve");
    const e = await bareSocket(edge.url, eve.session.token);
    expect((await refused(e, query("asOf", { room, s: 1 }))).err.name).toBe("RoomNotFound");
    await vi.waitFor(() => okOf(a, command("addMember", { room, user: eve.user })));
    const headers = { authorization: `Bearer ${eve.session.token}` };
    const produced = await overHttp(`/v1/rooms/${room}/as-of?s=1`, { headers });
    expect((await overHttp(`/v1/rooms/${room}/as-of?at=2020-01-01`, { headers })).err).toEqual(produced.err);
    return produced;
  },
  async Parked() {
    const other = await makeRoom([]);
    const pool = openPool(chat.box.databaseUrl, { name: "tests", max: 1 });
    await pool.query(
      "insert into chat.parked values ('rooms.0', 'room', $1, 1, 'RoomPainted.v1', 'of a test', false)",
      [other],
    );
    // The edge and the writer look at the tables when something happened.
    const produced = await vi.waitFor(async () => {
      await post("something");
      const asked = await refused(a, query("history", { room: other }));
      expect((await refused(a, command("postMessage", { room: other, text: "x" }))).err).toEqual(asked.err);
      return asked;
    });
    const headers = { authorization: `Bearer ${ada.session.token}` };
    expect(await overHttp(`/v1/rooms/${other}/events`, { headers })).toMatchObject({ http: 503, err: produced.err });
    await pool.query("delete from chat.parked");
    await pool.end();
    await vi.waitFor(() => okOf(a, query("history", { room: other })));
    return produced;
  },

  // Files
  FileNotFound: () => refused(a, command("postMessage", { room, files: [randomUUID()] })),
  async FileTooLarge() {
    const strict = await chat.startEdge({ HUB_FILE_BYTES: "1000" });
    for (const size of [999, 1_000]) expect((await upload(userAt(strict), room, randomBytes(size))).status).toBe(201);
    const produced = failedUpload(await upload(userAt(strict), room, randomBytes(1_001)));
    await strict.close();
    return produced;
  },
  async LengthRequired() {
    const body = new Blob([randomBytes(10)]).stream();
    const headers = { authorization: `Bearer ${ada.session.token}` };
    return overHttp(`/v1/files?room=${room}&name=a`, { method: "POST", body, headers, duplex: "half" } as RequestInit);
  },
  async WrongDigest() {
    const digest = `sha-256=:${Buffer.from(sha256(randomBytes(1)), "hex").toString("base64")}:`;
    const headers = { "content-digest": digest };
    return failedUpload(await upload(userAt(edge), room, randomBytes(10), { headers }));
  },
  async StorageFull() {
    const small = await chat.startEdge({
      HUB_CONTENT_BYTES: "100",
      HUB_CONTENT_DIR: `${chat.box.env.HUB_CONTENT_DIR}-100`,
    });
    expect((await upload(userAt(small), room, randomBytes(95))).status).toBe(201);
    const produced = failedUpload(await upload(userAt(small), room, randomBytes(1)));
    await small.close();
    return produced;
  },
  async BadRange() {
    const { file } = (await upload(userAt(edge), room, randomBytes(10))).ok;
    const response = await download(userAt(edge), file, { range: "bytes=10-" });
    expect(response.headers.get("content-range")).toBe("bytes */10");
    return { err: errIn((await response.json()) as Record<string, unknown>), http: response.status };
  },
  async FileUnavailable() {
    const { file, hash } = (await upload(userAt(edge), room, randomBytes(10))).ok;
    rmSync(`${chat.box.env.HUB_CONTENT_DIR}/blobs/${hash.slice(0, 2)}/${hash}`);
    const response = await download(userAt(edge), file);
    return { err: errIn((await response.json()) as Record<string, unknown>), http: response.status };
  },
  // Who cut an upload does not get to read this: the file's record and its bytes not being there tells.
  UploadCut: () => withWriter("UploadCut"),

  async UploadNotFound() {
    const { ok } = await begin(userAt(edge), room);
    for (const id of [newKey(), "nonsense", "..%2F..%2Fvault"])
      expect(await aboutUpload(userAt(edge), `/${id}`)).toMatchObject({ err: { name: "UploadNotFound" } });
    return overHttp(`/v1/uploads/${ok.upload}`, { headers: { authorization: `Bearer ${bob.session.token}` } });
  },
  async WrongOffset() {
    const { ok } = await begin(userAt(edge), room);
    const answers = [];
    for (const offset of [1, 2, 8]) answers.push(await goOn(userAt(edge), ok.upload, offset, randomBytes(0)));
    for (const { err } of answers) expect(err).toMatchObject({ name: "WrongOffset", detail: { offset: 0 } });
    return failedUpload(answers[0] ?? expect.fail());
  },
  async UploadInUse() {
    const { ok } = await begin(userAt(edge), room);
    const at = `${edge.url}/v1/uploads/${ok.upload}`;
    const headers = { authorization: `Bearer ${ada.session.token}`, "upload-offset": "0", "content-length": "8" };
    const first = request(at, { method: "PATCH", headers }).on("error", () => undefined);
    first.write("1");
    await vi.waitFor(async () => expect((await aboutUpload(userAt(edge), `/${ok.upload}`)).ok.offset).toBe(1));
    const produced = failedUpload(await goOn(userAt(edge), ok.upload, 1, randomBytes(1)));
    first.destroy();
    await vi.waitFor(async () => expect((await goOn(userAt(edge), ok.upload, 1, randomBytes(7))).status).toBe(201));
    return produced;
  },
  async TooManyUploads() {
    const eve = await chat.person(edge, "eve");
    await okOf(a, command("addMember", { room, user: eve.user }));
    const user = { url: edge.url, token: eve.session.token };
    const begun = [];
    for (let at = 0; at < limits.openUploads; at++) begun.push(await begin(user, room));
    expect(begun.map(({ status }) => status)).toEqual(begun.map(() => 201));
    const produced = failedUpload(await begin(user, room));
    expect((await aboutUpload(user, `/${begun[0]?.ok.upload}`, { method: "DELETE" })).status).toBe(200);
    expect((await begin(user, room)).status).toBe(201);
    return produced;
  },

  // Told to operators and services alone
  BlobNotFound: () => withWriter("BlobNotFound"),
  NodeNotFound: () => withWriter("NodeNotFound"),
  NodeExists: () => withWriter("NodeExists"),
  NotEnoughReplicas: () => withWriter("NotEnoughReplicas"),

  // Try again
  Busy: () => withWriter("Busy"),
  Unavailable: () => withWriter(undefined),
  DeadlinePassed: () => withWriter("DeadlinePassed"),
  LaneMoved: () => withWriter("LaneMoved"),
  NotCaughtUp: () => withWriter("NotCaughtUp"),
};

describe("every error of the table comes out of the doors as the table says", () => {
  test.each(errorNames)("%s", { timeout: 60_000 }, async (name) => {
    expect(Object.hasOwn(cases, name), `${name} has no case`).toBe(true);
    const { err, http, close } = await cases[name]();
    const entry = errorEntry(name);
    expect(err).toMatchObject({ name, code: entry.code, retry: entry.retry });
    if (http !== undefined) expect(http).toBe(entry.http);
    if (close !== undefined) expect(close).toBe(entry.close);
    // Nothing that a client sends ends the edge.
    expect((await fetch(`${edge.url}/health`)).status).toBe(200);
  });

  test("after all of them people still talk", async () => {
    const s = await post("still here");
    await expect.poll(() => JSON.stringify(b.frames.at(-1))).toContain(`"s":${s}`);
  });
});
