import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { WebSocket } from "ws";
import { newKey } from "../support/bareSocket.ts";
import { type ChatUnderTest, chatUnderTest, type Person, type StartedEdge } from "../support/chat.ts";
import { upload } from "../support/files.ts";

// What a browser lets pages do with an edge, as the edge tells it.

const friend = "https://chat.example";
const stranger = "https://evil.example";

let chat: ChatUnderTest;
let open: StartedEdge;
let shut: StartedEdge;
let ada: Person;
beforeAll(async () => {
  const servers = { natsUrl: inject("natsUrl"), postgresUrl: inject("postgresUrl"), valkeyUrl: inject("valkeyUrl") };
  chat = await chatUnderTest(servers);
  await chat.startCommands();
  [open, shut] = [
    await chat.startEdge({ HUB_ALLOWED_ORIGINS: `http://localhost:5173, ${friend}` }),
    await chat.startEdge(),
  ];
  ada = await chat.person(open, "ada");
});
afterAll(() => chat?.close());

/** The status with which an upgrade is answered, 101 when a socket opens. */
function upgrade({ url }: StartedEdge, origin?: string): Promise<readonly [status: number | undefined, body?: string]> {
  const socket = new WebSocket(`${url.replace("http", "ws")}/v1/socket`, origin === undefined ? {} : { origin });
  return new Promise((resolve, reject) => {
    socket.on("error", reject);
    socket.on("upgrade", () => {
      resolve([101]);
      socket.on("open", () => socket.close());
    });
    socket.on("unexpected-response", (_, response) => {
      let body = "";
      response.on("data", (data) => {
        body += data;
      });
      response.on("end", () => resolve([response.statusCode, body]));
    });
  });
}

const ask = ({ url }: StartedEdge, path: string, origin: string | undefined, init: RequestInit = {}) =>
  fetch(`${url}${path}`, { ...init, headers: { ...init.headers, ...(origin !== undefined && { origin }) } });
const preflight = (edge: StartedEdge, origin: string) => {
  const headers = { "access-control-request-method": "POST", "access-control-request-headers": "authorization" };
  return ask(edge, "/v1/commands/postMessage", origin, { method: "OPTIONS", headers });
};

describe("an upgrade to a socket", () => {
  test("is for programs, for the edge's own page, and for pages of listed origins", async () => {
    for (const edge of [open, shut]) {
      expect(await upgrade(edge)).toEqual([101]);
      expect(await upgrade(edge, edge.url)).toEqual([101]);
      for (const origin of [stranger, "null", `${friend}.evil.example`]) {
        const [status, body = ""] = await upgrade(edge, origin);
        expect([status, JSON.parse(body)]).toMatchObject([403, { err: { code: 113, name: "OriginNotAllowed" } }]);
      }
    }
    expect([await upgrade(open, friend), (await upgrade(shut, friend))[0]]).toEqual([[101], 403]);
  });
});

describe("a page of a listed origin", () => {
  test("is told before it sends, and may read answers and errors alike", async () => {
    const told = await preflight(open, friend);
    expect([told.status, told.headers.get("access-control-allow-origin")]).toEqual([204, friend]);
    expect(told.headers.get("access-control-allow-headers")).toMatch(/authorization.*idempotency-key/);
    expect(told.headers.get("content-length")).toBeNull();
    const signIn = { method: "POST", body: JSON.stringify({ email: ada.email, password: ada.password }) };
    const refused = { method: "POST", body: "{" };
    const long = { method: "POST", body: "x".repeat(70_000) };
    for (const [init, status] of [
      [signIn, 200],
      [refused, 400],
      [long, 413],
    ] as const) {
      const answer = await ask(open, "/v1/sign-in", friend, init);
      expect([answer.status, answer.headers.get("access-control-allow-origin")]).toEqual([status, friend]);
      expect(answer.headers.get("vary")).toBe("origin");
    }
  });
});

describe("a page of any other origin", () => {
  test("does nothing, and does not get to read what it looks at", async () => {
    for (const edge of [open, shut]) {
      expect((await preflight(edge, stranger)).status).toBe(403);
      const headers = { authorization: `Bearer ${ada.session.token}`, "idempotency-key": newKey() };
      const posted = await ask(edge, "/v1/commands/createRoom", stranger, {
        method: "POST",
        headers,
        body: JSON.stringify({ name: "Engine" }),
      });
      expect([posted.status, await posted.json()]).toMatchObject([403, { err: { name: "OriginNotAllowed" } }]);
      const looked = await ask(edge, "/v1/rooms", stranger, { headers });
      expect([looked.status, looked.headers.get("access-control-allow-origin")]).toEqual([200, null]);
      expect(await looked.json()).toMatchObject({ ok: { rooms: [] } });
    }
  });
});

test("every answer says what may be done with it, errors too", async () => {
  const token = ada.session.token;
  const headers = { authorization: `Bearer ${token}` };
  const made = await ask(open, "/v1/commands/createRoom", undefined, {
    method: "POST",
    headers,
    body: JSON.stringify({ name: "Engine" }),
  });
  const { ok } = (await made.json()) as { ok: { room: string } };
  const file = await upload({ url: open.url, token }, ok.room, Buffer.from("<script>"), { name: "x.html" });
  const paths = ["/", "/health", "/ready", "/v1/openapi.json", "/v1/rooms", "/nothing", `/v1/files/${file.ok.file}`];
  for (const path of paths) {
    const answer = await ask(open, path, undefined, { headers });
    const of = (name: string) => answer.headers.get(name);
    expect([path, of("x-content-type-options"), of("referrer-policy")]).toEqual([path, "nosniff", "no-referrer"]);
    expect([of("x-frame-options"), of("cross-origin-resource-policy")]).toEqual(["DENY", "same-origin"]);
    expect(of("content-security-policy")).toMatch(/^default-src 'none'|sandbox/);
    await answer.arrayBuffer();
  }
  const tooLong = await ask(open, "/v1/sign-in", undefined, { method: "POST", body: "x".repeat(70_000) });
  expect([tooLong.status, tooLong.headers.get("x-frame-options")]).toEqual([413, "DENY"]);
});
