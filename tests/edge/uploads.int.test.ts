import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { type ClientRequest, request } from "node:http";
import { afterAll, beforeAll, describe, expect, inject, test, vi } from "vitest";
import { bareSocket, newKey } from "../support/bareSocket.ts";
import { type ChatUnderTest, chatUnderTest, type Person, type StartedEdge } from "../support/chat.ts";
import { type CutLine, cutLine } from "../support/cutLine.ts";
import { type EdgeProcess, killEdgeProcesses, startEdgeProcess } from "../support/edgeProcess.ts";
import { aboutUpload, begin, blobsIn, type FileUser, goOn, hashOf, sha256, temporaryIn } from "../support/files.ts";
import { type SlowLine, slowLine } from "../support/slowLine.ts";

// Uploads that are gone on with: by hand, over two edges with one folder, and by the SDK through whatever happens to the line and the edge.

const MiB = 1024 * 1024;
let chat: ChatUnderTest;
let edge: StartedEdge;
let second: EdgeProcess;
let folder: string;
let ada: Person & FileUser;
let bob: Person & FileUser;
let room: string;

beforeAll(async () => {
  const servers = { natsUrl: inject("natsUrl"), postgresUrl: inject("postgresUrl"), valkeyUrl: inject("valkeyUrl") };
  chat = await chatUnderTest(servers);
  await Promise.all([chat.startCommands(), chat.startProjector()]);
  [edge, second] = await Promise.all([chat.startEdge(), startSecond()]);
  folder = String(chat.box.env.HUB_CONTENT_DIR);
  [ada, bob] = [await person("ada"), await person("bob")];
  room = (await ada.connect().client.command("createRoom", { name: "Engine", members: [bob.user] })).room;
});
afterAll(async () => {
  killEdgeProcesses();
  await chat?.close();
});

async function person(name: string): Promise<Person & FileUser> {
  const made = await chat.person(edge, name);
  return { ...made, url: edge.url, token: made.session.token };
}

async function startSecond(port?: number): Promise<EdgeProcess> {
  const started = await startEdgeProcess({ ...chat.box.env, HUB_NAME: "second", HUB_LOG_LEVEL: "error" }, port);
  await vi.waitFor(async () => expect((await fetch(`${started.url}/ready`)).status).toBe(200), { timeout: 15_000 });
  return started;
}

const offsetOf = async (user: FileUser, id: string) => (await aboutUpload(user, `/${id}`)).ok?.offset;

/** Sends some of the bytes that it announces, and leaves the line open. */
async function sendSome(user: FileUser, id: string, bytes: Uint8Array, announced: number): Promise<ClientRequest> {
  const headers = { authorization: `Bearer ${user.token}`, "upload-offset": "0", "content-length": `${announced}` };
  const sending = request(`${user.url}/v1/uploads/${id}`, { method: "PATCH", headers }).on("error", () => undefined);
  sending.write(bytes);
  await vi.waitFor(async () => expect(await offsetOf(user, id)).toBe(bytes.length));
  return sending;
}

describe("an upload by hand", () => {
  test("comes in parts, is the file that it would have been, and says so again", async () => {
    const bytes = randomBytes(100_000);
    const key = newKey();
    const said = { name: "Ω plan.pdf", type: "application/pdf", size: bytes.length, sha256: sha256(bytes) };
    const begun = await begin(ada, room, said, key);
    expect([begun.status, begun.headers.get("location"), begun.ok]).toMatchObject([
      201,
      `/v1/uploads/${key}`,
      { upload: key, offset: 0, size: 100_000 },
    ]);
    const part = await goOn(ada, key, 0, bytes.subarray(0, 60_000));
    expect([part.status, part.ok.offset, part.headers.get("upload-offset")]).toEqual([200, 60_000, "60000"]);
    const head = await fetch(`${edge.url}/v1/uploads/${key}`, {
      method: "HEAD",
      headers: { authorization: `Bearer ${ada.token}` },
    });
    expect(["upload-offset", "upload-length", "cache-control"].map((name) => head.headers.get(name))).toEqual([
      "60000",
      "100000",
      "no-store",
    ]);
    expect((await begin(ada, room, said, key)).ok.offset).toBe(60_000);
    const last = await goOn(ada, key, 60_000, bytes.subarray(60_000));
    const { size: _, sha256: hash, ...rest } = said;
    expect([last.status, last.ok]).toMatchObject([201, { ...rest, size: 100_000, hash }]);
    expect(await goOn(ada, key, 100_000, randomBytes(0))).toMatchObject({ status: 201, ok: last.ok, p: last.p });
    expect(temporaryIn(folder)).toEqual([]);
    const socket = await bareSocket(edge.url, ada.token);
    await socket.ask({ m: "postMessage", d: { room, files: [last.ok.file] }, k: newKey(), a: last.p });
    expect(await hashOf(bob, last.ok.file)).toBe(hash);
    socket.close();
  });

  test("is its owner's, whatever the session; somebody else's of that name is another one", async () => {
    const key = newKey();
    await begin(ada, room, {}, key);
    for (const method of ["GET", "PATCH", "DELETE"]) {
      const headers = { "upload-offset": "0", ...(method === "PATCH" && { "content-length": "0" }) };
      expect((await aboutUpload(bob, `/${key}`, { method, headers })).err?.name, method).toBe("UploadNotFound");
    }
    const { status } = await begin(bob, room, { size: 3 }, key);
    expect([status, await offsetOf(bob, key), (await goOn(ada, key, 0, randomBytes(2))).ok.offset]).toEqual([
      201, 0, 2,
    ]);
    expect((await begin(ada, room, { size: 9 }, key)).err?.name).toBe("KeyReused");
    const eve = await person("eve");
    expect((await begin(eve, room)).err?.name).toBe("RoomNotFound");
    expect((await aboutUpload({ ...ada, token: "nonsense" }, `/${key}`)).err?.name).toBe("NotAuthenticated");
  });

  test("takes neither more nor other bytes than it said", async () => {
    const { ok } = await begin(ada, room, { sha256: "00".repeat(32) });
    expect((await goOn(ada, ok.upload, 0, randomBytes(9))).err?.name).toBe("FileTooLarge");
    expect((await goOn(ada, ok.upload, 0, randomBytes(8))).err?.name).toBe("WrongDigest");
    expect((await aboutUpload(ada, `/${ok.upload}`)).err?.name).toBe("UploadNotFound");
    for (const said of [{ size: -1 }, { size: 1.5 }, { name: "" }, { room: "x" }, { sha256: "00" }, { more: 1 }])
      expect((await begin(ada, room, said)).err?.name, JSON.stringify(said)).toBe("BadInput");
    expect((await begin(ada, room, { size: 2 ** 30 + 1 })).err?.name).toBe("FileTooLarge");
  });

  test("is written to by one request at a time, of all edges that have the folder", async () => {
    const there = { ...ada, url: second.url };
    const { ok } = await begin(ada, room, { size: 9 });
    const sending = await sendSome(there, ok.upload, Buffer.from("abc"), 9);
    for (const user of [ada, there])
      expect((await goOn(user, ok.upload, 3, Buffer.from("x"))).err).toMatchObject({
        name: "UploadInUse",
        retry: true,
      });
    sending.destroy();
    const last = await vi.waitFor(async () => {
      const answer = await goOn(ada, ok.upload, 3, Buffer.from("defghi"));
      expect(answer.status).toBe(201);
      return answer;
    });
    expect(last.ok.hash).toBe(sha256(Buffer.from("abcdefghi")));
  });

  test("that is dropped takes its bytes with it, also from under a request that sends some", async () => {
    const bytes = randomBytes(1_000);
    const { ok } = await begin(ada, room, { size: bytes.length });
    const sending = await sendSome(ada, ok.upload, bytes.subarray(1), bytes.length);
    expect((await aboutUpload(ada, `/${ok.upload}`, { method: "DELETE" })).status).toBe(200);
    sending.end(bytes.subarray(0, 1));
    const [answer] = await once(sending, "response");
    expect(answer.statusCode).toBe(404);
    expect([temporaryIn(folder), blobsIn(folder).includes(sha256(bytes))]).toEqual([[], false]);
  });
});

describe("with the SDK", () => {
  let slow: SlowLine;
  let line: CutLine;
  beforeAll(async () => {
    slow = await slowLine(Number(new URL(second.url).port), { bytes: 64 * 1024, everyMs: 8 });
    line = await cutLine(`http://127.0.0.1:${slow.port}`);
  });
  afterAll(async () => {
    await line?.cut();
    await slow?.close();
  });

  test("an upload goes on from what is there when the line is cut, twice, and when the edge is killed", async () => {
    const bytes = randomBytes(4 * MiB);
    const key = newKey();
    const told: number[] = [];
    const { client } = ada.connect({ url: line.url });
    const onProgress = (sent: number) => void told.push(sent);
    const uploading = client.uploadFile({ room, name: "a.bin", bytes, key, sha256: sha256(bytes), onProgress });
    const there = async (least: number) => {
      const check = async () => {
        const offset = await offsetOf(ada, key);
        expect(offset).toBeGreaterThanOrEqual(least);
        return offset ?? 0;
      };
      return vi.waitFor(check, { timeout: 10_000, interval: 10 });
    };
    const reached: number[] = [];
    for (const least of [1, MiB]) {
      reached.push(await there(least));
      await line.cut();
      await line.mend();
    }
    reached.push(await there(2 * MiB));
    second.child.kill("SIGKILL");
    await once(second.child, "exit");
    reached.push(await there(reached[2] ?? 0));
    second = await startSecond(Number(new URL(second.url).port));
    const made = await uploading;
    expect([made.hash, await hashOf(ada, made.file)]).toEqual([sha256(bytes), sha256(bytes)]);
    // It never began anew.
    const fallen = told.filter((sent, at) => sent < (told[at - 1] ?? 0));
    expect(fallen.length).toBeGreaterThan(0);
    for (const sent of fallen) expect(sent).toBeGreaterThanOrEqual(reached[0] ?? 0);
    expect(told.at(-1)).toBe(bytes.length);
    client.close();
  });

  test("one that was stopped goes on with its key, or is dropped", async () => {
    const bytes = randomBytes(2 * MiB);
    const key = newKey();
    const { client } = ada.connect();
    const stop = new AbortController();
    const stopped = client.uploadFile({
      ...{ room, name: "a.bin", bytes, key, signal: stop.signal },
      onProgress: () => stop.abort(new Error("reload")),
    });
    await expect(stopped).rejects.toThrow("reload");
    const again = await client.uploadFile({ room, name: "a.bin", bytes, key });
    expect(again.hash).toBe(sha256(bytes));
    expect(await client.uploadFile({ room, name: "a.bin", bytes, key })).toEqual(again);
    await client.dropUpload(key);
    await expect(client.dropUpload(key)).rejects.toMatchObject({ name: "UploadNotFound" });
    client.close();
  });
});
