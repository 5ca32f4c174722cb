import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { createServer } from "node:http";
import { connect as connectTcp } from "node:net";
import { join } from "node:path";
import { openLane } from "@connect-hub/jetstream";
import { openPool } from "@connect-hub/postgres";
import { filesOf, type MessageFile } from "@connect-hub/protocol";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, inject, test, vi } from "vitest";
import { type BareSocket, bareSocket, newKey } from "../support/bareSocket.ts";
import { type ChatUnderTest, chatUnderTest, type Person, type StartedEdge } from "../support/chat.ts";
import { blobsIn, download, type FileUser, hashOf, sha256, temporaryIn, upload } from "../support/files.ts";

const MiB = 1024 * 1024;
let chat: ChatUnderTest;
let edge: StartedEdge;
let folder: string;
let ada: Person & FileUser;
let bob: Person & FileUser;
let eve: Person & FileUser;
let a: BareSocket;
let room: string;

beforeAll(async () => {
  chat = await chatUnderTest({
    natsUrl: inject("natsUrl"),
    postgresUrl: inject("postgresUrl"),
    valkeyUrl: inject("valkeyUrl"),
  });
  await chat.startCommands();
  await chat.startProjector();
  edge = await chat.startEdge();
  folder = String(chat.box.env.HUB_CONTENT_DIR);
  [ada, bob, eve] = [await person("ada"), await person("bob"), await person("eve")];
  a = await bareSocket(edge.url, ada.token);
  room = await makeRoom([bob.user]);
});
afterAll(() => chat?.close());

async function person(name: string): Promise<Person & FileUser> {
  const made = await chat.person(edge, name);
  return { ...made, url: edge.url, token: made.session.token };
}

async function ask(m: string, d: object, more: object = {}): Promise<Record<string, unknown>> {
  const answer = await a.ask({ m, d, k: newKey(), ...more });
  expect(answer.err).toBeUndefined();
  return answer.ok as Record<string, unknown>;
}

const makeRoom = async (members: string[]) => String((await ask("createRoom", { name: "Engine", members })).room);

/** Uploads and posts it in one message. */
async function posted(bytes: Uint8Array, into = room, text = ""): Promise<{ file: string; s: number }> {
  const { ok, p } = await upload(ada, into, bytes);
  const { s } = await ask("postMessage", { room: into, text, files: [ok.file] }, { a: p });
  return { file: ok.file, s: Number(s) };
}

/** Whether a text stands anywhere in the lane of content as it is stored. */
async function isInLog(text: string): Promise<boolean> {
  const lane = await openLane(chat.box.link, { prefix: chat.box.prefix, id: "content.0" });
  const head = await lane.lastNumber();
  for await (const batch of lane.read(1, new AbortController().signal)) {
    if (batch.some(({ bytes }) => Buffer.from(bytes).includes(text))) return true;
    if ((batch.at(-1)?.n ?? head) >= head) break;
  }
  return false;
}

async function recordsOf(hash: string): Promise<number> {
  const pool = openPool(chat.box.databaseUrl, { name: "tests", max: 1 });
  const { rows } = await pool.query("select id from content.files where hash = $1", [hash]);
  await pool.end();
  return rows.length;
}

describe("a file's way", () => {
  test.each([0, 1, 5 * MiB + 3])("%i bytes: uploaded, posted, read by a member, all as they were", async (size) => {
    const bytes = randomBytes(size);
    const { status, ok, p } = await upload(ada, room, bytes, {
      name: "Ω plan.pdf",
      headers: { "content-type": "application/pdf" },
    });
    expect(status).toBe(201);
    expect(ok).toMatchObject({ name: "Ω plan.pdf", type: "application/pdf", size, hash: sha256(bytes) });
    expect(temporaryIn(folder)).toEqual([]);
    expect(await hashOf(ada, ok.file)).toBe(sha256(bytes));
    expect(await hashOf(bob, ok.file)).toBe("FileNotFound");
    const { s } = await ask("postMessage", { room, text: "here it is", files: [ok.file] }, { a: p });
    expect(await hashOf(bob, ok.file)).toBe(sha256(bytes));
    const b = await bareSocket(edge.url, bob.token);
    const page = await b.ask({ q: "history", d: { room, after: Number(s) - 1 } });
    expect(page.ok).toMatchObject({
      events: [
        {
          s,
          t: "messagePosted",
          d: { text: "here it is", files: [{ id: ok.file, name: "Ω plan.pdf", size, type: "application/pdf" }] },
        },
      ],
    });
    b.close();
  });

  test("the log holds its name sealed alone, however it came", async () => {
    const name = `secret plan ${newKey()}`;
    const { ok, p } = await upload(ada, room, randomBytes(10), { name });
    const forwarded = await ask("forwardFile", { file: ok.file, room }, { a: p });
    expect([ok.name, forwarded.name]).toEqual([name, name]);
    expect([await isInLog(ok.file), await isInLog(String(forwarded.file)), await isInLog(name)]).toEqual([
      true,
      true,
      false,
    ]);
  });

  test("the same upload again, with the same key, is the same file; its bytes lie on the disk once", async () => {
    const bytes = randomBytes(1_000);
    const key = newKey();
    const [first, again] = [await upload(ada, room, bytes, { key }), await upload(ada, room, bytes, { key })];
    expect(again.ok).toEqual(first.ok);
    const other = await upload(bob, room, bytes);
    expect(other.ok.file).not.toBe(first.ok.file);
    expect(blobsIn(folder).filter((hash) => hash === sha256(bytes))).toHaveLength(1);
    const others = randomBytes(10);
    const reused = await upload(ada, room, others, { key });
    expect(reused).toMatchObject({ status: 409, err: { name: "KeyReused" } });
    // Its bytes have a claim all the same, which expires: else they would lie there for ever and could not be moved.
    await vi.waitFor(async () => expect(await recordsOf(sha256(others))).toBe(1));
  });

  test("the same bytes from several people at once are one blob and a file for each", async () => {
    const bytes = randomBytes(500_000);
    const users = [ada, bob, ada, bob, ada, bob];
    const made = await Promise.all(users.map((user) => upload(user, room, bytes)));
    expect(made.map(({ status }) => status)).toEqual(users.map(() => 201));
    expect(new Set(made.map(({ ok }) => ok.file)).size).toBe(users.length);
    expect(blobsIn(folder).filter((hash) => hash === sha256(bytes))).toHaveLength(1);
    for (const [index, user] of users.entries())
      expect(await hashOf(user, made[index]?.ok.file ?? "")).toBe(sha256(bytes));
    expect(temporaryIn(folder)).toEqual([]);
  });

  test("who left the room, came later, or never was in it gets the answer of a file that is not there", async () => {
    const own = await makeRoom([bob.user]);
    const { file } = await posted(randomBytes(100), own);
    expect(await hashOf(bob, file)).toMatch(/^[0-9a-f]{64}$/);
    await ask("removeMember", { room: own, user: bob.user });
    await ask("addMember", { room: own, user: eve.user });
    const answers = await Promise.all(
      [download(bob, file), download(eve, file), download(bob, newKey()), download(bob, "nonsense")].map(
        async (answer) => {
          const { status, headers } = await answer;
          return [status, headers.get("etag"), await (await answer).text()];
        },
      ),
    );
    expect(new Set(answers.map(String)).size).toBe(1);
    expect(answers[0]?.[0]).toBe(404);
    await ask("addMember", { room: own, user: bob.user });
    const { file: later } = await posted(randomBytes(100), own);
    expect([await hashOf(bob, file), await hashOf(bob, later)]).toEqual([
      "FileNotFound",
      expect.stringMatching(/^[0-9a-f]{64}$/),
    ]);
  });

  test("a deleted message takes its files with it, a forwarded one outlives it under the rights of its new room", async () => {
    const bytes = randomBytes(2_000);
    const { file, s } = await posted(bytes);
    const other = await makeRoom([eve.user]);
    const key = newKey();
    const forward = () =>
      fetch(`${edge.url}/v1/files/${file}/forward`, {
        method: "POST",
        body: JSON.stringify({ room: other }),
        headers: { authorization: `Bearer ${ada.token}`, "idempotency-key": key },
      }).then(
        async (response) => [response.status, (await response.json()) as { ok: { file: string }; p: string }] as const,
      );
    const [status, { ok, p }] = await forward();
    expect(status).toBe(200);
    expect(ok).toMatchObject({ name: "a.bin", size: 2_000, hash: sha256(bytes) });
    await ask("postMessage", { room: other, files: [ok.file] }, { a: p });
    await ask("deleteMessage", { room, message: s });
    expect(await hashOf(bob, file)).toBe("FileNotFound");
    expect([await hashOf(eve, ok.file), await hashOf(bob, ok.file)]).toEqual([sha256(bytes), "FileNotFound"]);
    // The answer of a forward that was done stays, though it could not be done any more.
    await vi.waitFor(async () => expect(await hashOf(ada, file)).toBe("FileNotFound"), { timeout: 10_000 });
    expect((await forward())[1].ok).toEqual(ok);
  });

  test("with the SDK: what is uploaded can be posted at once, and who hears of it can fetch and forward it", async () => {
    const { client } = ada.connect();
    const heard: MessageFile[] = [];
    const other = bob.connect();
    other.client.onEvent(room, (event) => void heard.push(...filesOf(event)));
    await other.client.query("rooms", {});
    const bytes = randomBytes(10_000);
    const { file } = await client.uploadFile({ room, name: "plan.pdf", bytes, sha256: sha256(bytes) });
    await client.command("postMessage", { room, files: [file] });
    await vi.waitFor(() =>
      expect(heard).toContainEqual(expect.objectContaining({ id: file, name: "plan.pdf", size: 10_000 })),
    );
    const response = await other.client.downloadFile(file, { part: { from: 100, to: 200 } });
    expect(Buffer.from(await response.arrayBuffer())).toEqual(bytes.subarray(100, 200));
    const { room: den } = await other.client.command("createRoom", { name: "Bob's" });
    const forwarded = await other.client.command("forwardFile", { file, room: den });
    await other.client.command("postMessage", { room: den, text: "look", files: [forwarded.file] });
    expect(await hashOf(bob, forwarded.file)).toBe(sha256(bytes));
    expect(await hashOf(ada, forwarded.file)).toBe("FileNotFound");
  });

  test("nobody forwards what they may not read, or to where they are not", async () => {
    const { file } = await posted(randomBytes(100));
    const e = await bareSocket(edge.url, eve.token);
    const own = String(((await e.command("createRoom", { name: "Eve's" })).ok as { room: string }).room);
    const errorOf = async (d: object) =>
      ((await e.ask({ m: "forwardFile", d, k: newKey() })).err as { name: string }).name;
    expect(await errorOf({ file, room: own })).toBe("FileNotFound");
    expect(await errorOf({ file: newKey(), room: own })).toBe("FileNotFound");
    expect(await errorOf({ file, room })).toBe("RoomNotFound");
    e.close();
  });
});

describe("a download", () => {
  let file: string;
  const bytes = randomBytes(3 * MiB);
  beforeAll(async () => {
    ({ file } = await posted(bytes));
  });

  test("says what it is and does nothing by itself in a browser", async () => {
    const { headers, status } = await download(bob, file);
    expect(status).toBe(200);
    expect(Object.fromEntries(headers)).toMatchObject({
      etag: `"${sha256(bytes)}"`,
      "accept-ranges": "bytes",
      "content-length": String(bytes.length),
      "content-disposition": `attachment; filename="a.bin"; filename*=UTF-8''a.bin`,
      "content-security-policy": expect.stringContaining("sandbox"),
      "x-content-type-options": "nosniff",
      "cache-control": expect.stringContaining("private"),
    });
  });

  test("HEAD gets the same without the bytes", async () => {
    const [get, head] = [await download(bob, file), await download(bob, file, {}, "HEAD")];
    const headersOf = ({ headers }: Response) => Object.fromEntries([...headers].filter(([name]) => name !== "date"));
    expect(headersOf(head)).toEqual(headersOf(get));
    expect([head.status, (await head.arrayBuffer()).byteLength]).toEqual([200, 0]);
    await get.body?.cancel();
  });

  test("any range gives those bytes", async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(bytes.length - 1), fc.nat(bytes.length + 10), async (first, last) => {
        fc.pre(last >= first);
        const response = await download(bob, file, { range: `bytes=${first}-${last}` });
        const body = Buffer.from(await response.arrayBuffer());
        const end = Math.min(last, bytes.length - 1);
        expect([response.status, response.headers.get("content-range")]).toEqual([
          206,
          `bytes ${first}-${end}/${bytes.length}`,
        ]);
        expect(body.equals(bytes.subarray(first, end + 1))).toBe(true);
      }),
      { numRuns: 30 },
    );
  });

  test.each([
    ["bytes=-5", 206],
    ["bytes=0-1,3-4", 200],
    ["pages=1-2", 200],
    [`bytes=${3 * MiB}-`, 416],
    ["bytes=-0", 416],
  ])("%s is answered with %i", async (range, status) => {
    const response = await download(bob, file, { range });
    expect(response.status).toBe(status);
    if (status === 416) {
      expect(response.headers.get("content-range")).toBe(`bytes */${bytes.length}`);
      expect(await response.json()).toMatchObject({ err: { name: "BadRange" } });
    } else await response.body?.cancel();
  });

  test("what is had already is not sent again; a range of what changed is", async () => {
    const tag = `"${sha256(bytes)}"`;
    const same = await download(bob, file, { "if-none-match": tag });
    expect([same.status, await same.text()]).toEqual([304, ""]);
    const stranger = await download(eve, file, { "if-none-match": tag });
    expect(stranger.status).toBe(404);
    const statuses = await Promise.all(
      [tag, '"other"'].map(async (unless) => {
        const response = await download(bob, file, { range: "bytes=0-1", "if-range": unless });
        await response.body?.cancel();
        return response.status;
      }),
    );
    expect(statuses).toEqual([206, 200]);
  });
});

describe("an upload that goes wrong leaves nothing", () => {
  test("cut at any byte", async () => {
    const bytes = randomBytes(300_000);
    await fc.assert(
      fc.asyncProperty(fc.nat(bytes.length - 1), fc.boolean(), async (at, politely) => {
        const tcp = connectTcp(edge.port, "127.0.0.1");
        tcp.on("error", () => undefined);
        const head = [
          `POST /v1/files?room=${room}&name=cut HTTP/1.1`,
          "Host: a",
          `Authorization: Bearer ${ada.token}`,
          `Content-Length: ${bytes.length}`,
        ];
        tcp.write(`${head.join("\r\n")}\r\n\r\n`);
        await new Promise((resolve) => tcp.write(bytes.subarray(0, at), resolve));
        if (politely) tcp.end();
        else tcp.resetAndDestroy();
        await new Promise((resolve) => tcp.once("close", resolve));
      }),
      { numRuns: 40 },
    );
    await vi.waitFor(() => expect(temporaryIn(folder)).toEqual([]), { timeout: 5_000 });
    expect(blobsIn(folder)).not.toContain(sha256(bytes));
    expect(await recordsOf(sha256(bytes))).toBe(0);
  });

  test("with another hash than it says", async () => {
    const bytes = randomBytes(100_000);
    const digest = (of: Uint8Array) => ({
      "content-digest": `sha-256=:${Buffer.from(sha256(of), "hex").toString("base64")}:`,
    });
    const wrong = await upload(ada, room, bytes, { headers: digest(randomBytes(1)) });
    expect(wrong).toMatchObject({ status: 400, err: { name: "WrongDigest" } });
    expect([temporaryIn(folder), blobsIn(folder).includes(sha256(bytes))]).toEqual([[], false]);
    expect((await upload(ada, room, bytes, { headers: digest(bytes) })).status).toBe(201);
  });

  test("into a room that one is not in", async () => {
    const bytes = randomBytes(100_000);
    const [outside, nowhere] = [await upload(eve, room, bytes), await upload(eve, newKey(), bytes)];
    expect(outside).toEqual(nowhere);
    expect(outside).toMatchObject({ status: 404, err: { name: "RoomNotFound" } });
    expect([temporaryIn(folder), blobsIn(folder).includes(sha256(bytes))]).toEqual([[], false]);
  });

  test("without a session, before anything is read", async () => {
    const answer = await upload({ ...ada, token: "nonsense" }, room, randomBytes(5 * MiB));
    expect(answer).toMatchObject({ status: 401, err: { name: "NotAuthenticated" } });
  });
});

describe("limits", () => {
  test("a file has at most so many bytes, and the budget holds", async () => {
    const small = await chat.startEdge({
      HUB_FILE_BYTES: "1000",
      HUB_CONTENT_BYTES: "10000",
      HUB_CONTENT_DIR: join(folder, "small"),
    });
    const user = { ...ada, url: small.url };
    const told = await (await bareSocket(small.url)).first<{ hello: { limits: { fileBytes: number } } }>("hello");
    expect(told.hello.limits.fileBytes).toBe(1_000);
    const statuses = [];
    for (const size of [999, 1_000, 1_001]) statuses.push((await upload(user, room, randomBytes(size))).status);
    expect(statuses).toEqual([201, 201, 413]);
    for (let at = 0; at < 7; at++) expect((await upload(user, room, randomBytes(1_000))).status).toBe(201);
    expect((await upload(user, room, randomBytes(500))).status).toBe(201);
    const full = await upload(user, room, randomBytes(2));
    expect(full).toMatchObject({ status: 507, err: { name: "StorageFull", retry: true, afterMs: 30_000 } });
    expect((await upload(user, room, randomBytes(1))).status).toBe(201);
    await small.close();
  });

  test("one person has at most 8 uploads at once", async () => {
    const begin = async () => {
      const tcp = connectTcp(edge.port, "127.0.0.1");
      tcp.on("error", () => undefined);
      tcp.write(
        `POST /v1/files?room=${room}&name=slow HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${ada.token}\r\nContent-Length: 5\r\n\r\n1`,
      );
      return tcp;
    };
    const slow = await Promise.all(Array.from({ length: 8 }, begin));
    await vi.waitFor(() => expect(temporaryIn(folder)).toHaveLength(8));
    expect(await upload(ada, room, randomBytes(1))).toMatchObject({ status: 503, err: { name: "Busy", retry: true } });
    expect((await upload(bob, room, randomBytes(1))).status).toBe(201);
    for (const tcp of slow) tcp.write("2345");
    await vi.waitFor(() => expect(temporaryIn(folder)).toEqual([]));
    expect((await upload(ada, room, randomBytes(1))).status).toBe(201);
    for (const tcp of slow) tcp.destroy();
  });
});

test("one person has at most 32 downloads at once, and who goes away has none", async () => {
  const { file } = await posted(randomBytes(16 * MiB));
  const unread = await Promise.all(
    Array.from({ length: 32 }, async () => {
      const tcp = connectTcp(edge.port, "127.0.0.1");
      tcp.on("error", () => undefined);
      tcp.write(`GET /v1/files/${file} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${ada.token}\r\n\r\n`);
      await once(tcp, "readable");
      return tcp;
    }),
  );
  expect(await hashOf(ada, file)).toBe("Busy");
  expect(await hashOf(bob, file)).toMatch(/^[0-9a-f]{64}$/);
  for (const tcp of unread) tcp.destroy();
  await vi.waitFor(async () => expect(await hashOf(ada, file)).toMatch(/^[0-9a-f]{64}$/));
  for (let at = 0; at < 33; at++) await download(ada, file, {}, "HEAD");
  expect(await hashOf(ada, file)).toMatch(/^[0-9a-f]{64}$/);
});

describe("bytes that are not here", () => {
  /** Stands in for placement's blob service. */
  async function placement(bytes: Buffer, stallsAfter = bytes.length) {
    const asked: { url: string | undefined; range: string | undefined; secret: string | undefined }[] = [];
    let cut = 0;
    const server = createServer((request, response) => {
      const { range, authorization } = request.headers;
      asked.push({ url: request.url, range, secret: authorization });
      const [, from = "0", to = "0"] = /^bytes=(\d+)-(\d+)$/.exec(range ?? "") ?? [];
      const part = bytes.subarray(Number(from), Number(to) + 1);
      response.writeHead(206, { "content-length": part.length });
      response.write(part.subarray(0, stallsAfter));
      if (stallsAfter >= part.length) response.end();
      response.on("close", () => {
        if (!response.writableEnded) cut++;
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    const port = typeof address === "object" && address ? address.port : 0;
    return { url: `http://127.0.0.1:${port}`, asked, cuts: () => cut, close: () => server.close() };
  }

  const removeHere = (bytes: Buffer) => rmSync(join(folder, "blobs", sha256(bytes).slice(0, 2), sha256(bytes)));

  test("come from a node by way of placement, whole or in part", async () => {
    const bytes = randomBytes(2 * MiB);
    const { file } = await posted(bytes);
    const service = await placement(bytes);
    const door = await chat.startEdge({ HUB_PLACEMENT_URL: service.url, HUB_PLACEMENT_SECRET: "s3cret" });
    const user = { ...bob, url: door.url };
    expect(await hashOf(user, file)).toBe(sha256(bytes));
    expect(service.asked).toEqual([]);
    removeHere(bytes);
    expect(await hashOf(user, file)).toBe(sha256(bytes));
    const part = await download(user, file, { range: "bytes=1000000-1000009" });
    expect([part.status, Buffer.from(await part.arrayBuffer())]).toEqual([206, bytes.subarray(1_000_000, 1_000_010)]);
    const head = await download(user, file, {}, "HEAD");
    expect(head.headers.get("content-length")).toBe(String(bytes.length));
    const url = `/blobs/${sha256(bytes)}`;
    expect(service.asked).toEqual([
      { url, range: `bytes=0-${bytes.length - 1}`, secret: "Bearer s3cret" },
      { url, range: "bytes=1000000-1000009", secret: "Bearer s3cret" },
    ]);
    await door.close();
    service.close();
  });

  test("are unavailable without placement, without a node, and when that is away; what is here still comes", async () => {
    const [gone, here] = [randomBytes(1_000), randomBytes(1_000)];
    const [{ file }, { file: other }] = [await posted(gone), await posted(here)];
    removeHere(gone);
    const away = await download(bob, file);
    expect([away.status, away.headers.get("retry-after"), await away.json()]).toMatchObject([
      503,
      "2",
      { err: { name: "FileUnavailable", retry: true } },
    ]);
    const refusing = createServer((_, response) => response.writeHead(503).end('{"error":"FileUnavailable"}'));
    await new Promise<void>((resolve) => refusing.listen(0, "127.0.0.1", resolve));
    const address = refusing.address();
    const url = `http://127.0.0.1:${typeof address === "object" && address ? address.port : 0}`;
    const door = await chat.startEdge({ HUB_PLACEMENT_URL: url, HUB_PLACEMENT_SECRET: "s", HUB_LOG_LEVEL: "silent" });
    const user = { ...bob, url: door.url };
    expect(await hashOf(user, file)).toBe("FileUnavailable");
    refusing.close();
    expect([await hashOf(user, file), await hashOf(user, other)]).toEqual(["FileUnavailable", sha256(here)]);
    // Brought again, the bytes are here again, for all files that have them.
    expect((await upload(ada, room, gone)).status).toBe(201);
    expect(await hashOf(bob, file)).toBe(sha256(gone));
    await door.close();
  });

  test("a client that goes away ends the fetching", async () => {
    const bytes = randomBytes(2 * MiB);
    const { file } = await posted(bytes);
    removeHere(bytes);
    const service = await placement(bytes, MiB);
    const door = await chat.startEdge({ HUB_PLACEMENT_URL: service.url, HUB_PLACEMENT_SECRET: "s" });
    const response = await download({ ...bob, url: door.url }, file);
    const reader = response.body?.getReader();
    await reader?.read();
    await reader?.cancel();
    await vi.waitFor(() => expect(service.cuts()).toBe(1), { timeout: 5_000 });
    await door.close();
    service.close();
  });
});
