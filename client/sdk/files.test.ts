import { createServer, type IncomingMessage, type Server } from "node:http";
import { afterEach, describe, expect, test } from "vitest";
import { downloadFile, dropUpload, fileUrl, forwardFile, newKey, uploadFile } from "./index.ts";

const made = { file: "f1", name: "Ω.txt", type: "text/plain", size: 5, hash: "ab".repeat(32) };
const token = "t.secret";
const running: Server[] = [];

interface Asked {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

/** A server that answers everything with this and keeps what it was asked. */
async function hub(status: number, answer: object | string) {
  const asked: Asked[] = [];
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    asked.push({ method: request.method, url: request.url, headers: request.headers, body });
    response.writeHead(status).end(typeof answer === "string" ? answer : JSON.stringify(answer));
  });
  running.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  return { asked, url: `http://127.0.0.1:${typeof address === "object" && address ? address.port : 0}` };
}

afterEach(() => {
  for (const server of running.splice(0)) server.close();
});

describe("uploading", () => {
  test("tells how far it is, up to the last byte, and stops when told to", async () => {
    const { asked, url } = await hub(201, { ok: made, p: "p1.e30" });
    const told: number[] = [];
    const bytes = new Uint8Array(300_000).fill(97);
    const stopping = new AbortController();
    const upload = { url, token, room: "r1", name: "a", bytes, signal: stopping.signal };
    await uploadFile({ ...upload, onProgress: (sent, size) => void told.push(sent / size) });
    expect([asked[0]?.body.length, asked[0]?.headers["content-length"]]).toEqual([300_000, "300000"]);
    expect(told.length).toBeGreaterThan(1);
    expect([told.at(-1), told]).toEqual([1, [...told].sort((a, b) => a - b)]);
    const onProgress = () => stopping.abort(new Error("enough"));
    await expect(uploadFile({ ...upload, onProgress })).rejects.toThrow("enough");
  });

  test("sends the bytes with their name, type, digest and key, and tells what became of them", async () => {
    const { asked, url } = await hub(201, { ok: made, p: "p1.e30" });
    const bytes = new Blob(["hello"], { type: "text/plain" });
    const key = "0192f0c4-8e00-7000-8000-000000000001";
    const file = await uploadFile({
      url,
      token,
      room: "r1",
      name: "Ω & co.txt",
      bytes,
      key,
      sha256: "00ff".repeat(16),
    });
    expect(file).toEqual({ ...made, position: "p1.e30" });
    expect(asked[0]).toMatchObject({ method: "POST", body: "hello" });
    const at = new URL(asked[0]?.url ?? "", url);
    expect([at.pathname, at.searchParams.get("room"), at.searchParams.get("name")]).toEqual([
      "/v1/files",
      "r1",
      "Ω & co.txt",
    ]);
    expect(asked[0]?.headers).toMatchObject({
      authorization: "Bearer t.secret",
      "idempotency-key": key,
      "content-type": "text/plain",
      "content-length": "5",
      "content-digest": `sha-256=:${Buffer.from("00ff".repeat(16), "hex").toString("base64")}:`,
    });
  });

  test("bytes without a type are any bytes", async () => {
    const { asked, url } = await hub(201, { ok: made, p: "p1.e30" });
    await uploadFile({ url, token, room: "r1", name: "a", bytes: new Uint8Array([1, 2]) });
    expect(asked[0]?.headers).toMatchObject({ "content-type": "application/octet-stream", "content-length": "2" });
    expect(asked[0]?.headers["content-digest"]).toBeUndefined();
  });

  test("a refusal is a HubError that says whether to try again", async () => {
    const { url } = await hub(507, { err: { code: 605, name: "StorageFull", retry: true, afterMs: 30_000 } });
    const uploading = uploadFile({ url, token, room: "r1", name: "a", bytes: new Uint8Array(1) });
    await expect(uploading).rejects.toMatchObject({ name: "StorageFull", retry: true, afterMs: 30_000 });
  });

  test.each([
    ["{}", "NotAnAnswer"],
    ["<html>", "NotAnAnswer"],
    ['{"ok":{"file":"f"},"p":"p1.e30"}', "NotAnAnswer"],
  ])("an answer that is none: %s", async (answer, name) => {
    const { url } = await hub(200, answer);
    const uploading = uploadFile({ url, token, room: "r1", name: "a", bytes: new Uint8Array(1) });
    await expect(uploading).rejects.toMatchObject({ name });
  });

  test("what may be tried again is, with the same key, until nothing moved for the time that was given", async () => {
    const { asked, url } = await hub(503, { err: { code: 501, name: "Busy", retry: true, afterMs: 1 } });
    const upload = { url, token, room: "r1", name: "a", bytes: new Uint8Array(1), key: newKey() };
    await expect(uploadFile({ ...upload, patienceMs: 100 })).rejects.toMatchObject({ name: "Busy" });
    expect(asked.length).toBeGreaterThan(1);
    expect(new Set(asked.map(({ headers }) => headers["idempotency-key"]))).toEqual(new Set([upload.key]));
    const stop = new AbortController();
    const stopped = uploadFile({ ...upload, signal: stop.signal });
    stop.abort(new Error("enough"));
    await expect(stopped).rejects.toThrow("enough");
  });

  test("nobody there is LineDead, and may be tried again", async () => {
    const upload = { token, room: "r1", name: "a", bytes: new Uint8Array(1), patienceMs: 0 };
    const uploading = uploadFile({ url: "http://127.0.0.1:1", ...upload });
    await expect(uploading).rejects.toMatchObject({ name: "LineDead", retry: true });
  });

  test("who stops it gets the reason", async () => {
    const { url } = await hub(201, { ok: made, p: "p1.e30" });
    const signal = AbortSignal.abort(new Error("changed my mind"));
    const uploading = uploadFile({ url, token, room: "r1", name: "a", bytes: new Uint8Array(1), signal });
    await expect(uploading).rejects.toThrow("changed my mind");
  });
});

test("what is dropped is named by its key", async () => {
  const { asked, url } = await hub(200, { ok: {}, p: "p1.e30" });
  const key = newKey();
  await dropUpload({ url, token, key });
  expect(asked).toMatchObject([{ method: "DELETE", url: `/v1/uploads/${key}` }]);
});

test("forwarding names the file and the room", async () => {
  const { asked, url } = await hub(200, { ok: made, p: "p1.e30" });
  expect(await forwardFile({ url, token, file: "f0", room: "r2" })).toMatchObject({ file: "f1", position: "p1.e30" });
  expect(asked[0]).toMatchObject({ method: "POST", url: "/v1/files/f0/forward", body: '{"room":"r2"}' });
});

describe("downloading", () => {
  test.each([
    [undefined, undefined],
    [{ from: 3 }, "bytes=3-"],
    [{ from: 0, to: 1 }, "bytes=0-0"],
  ])("part %j", async (part, range) => {
    const { asked, url } = await hub(200, "bytes");
    const response = await downloadFile({ url, token, file: "f1", ...(part && { part }) });
    expect(await response.text()).toBe("bytes");
    expect(asked[0]?.headers.range).toBe(range);
    expect(asked[0]).toMatchObject({ url: "/v1/files/f1", headers: { authorization: "Bearer t.secret" } });
  });

  test("a refusal is a HubError", async () => {
    const { url } = await hub(404, { err: { code: 601, name: "FileNotFound", retry: false } });
    await expect(downloadFile({ url, token, file: "f1" })).rejects.toMatchObject({ name: "FileNotFound", code: 601 });
  });

  test("a file's address is of this server whatever its id looks like", () => {
    expect(fileUrl("http://h:1/", "//evil/../x")).toBe("http://h:1/v1/files/%2F%2Fevil%2F..%2Fx");
  });
});
