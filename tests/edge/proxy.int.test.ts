import { readFileSync } from "node:fs";
import { request } from "node:https";
import { createServer } from "node:net";
import { join } from "node:path";
import { connect, type TLSSocket } from "node:tls";
import { checkout, freePort } from "@connect-hub/runtime";
import { afterAll, beforeAll, describe, expect, inject, test, vi } from "vitest";
import { certificateFolder, makeCertificate } from "../setup/certificates.ts";
import { type Nginx, startNginx } from "../setup/nginx.ts";
import { openRawWebSocket } from "../setup/rawWebSocket.ts";
import { type ChatUnderTest, chatUnderTest } from "../support/chat.ts";

const made = makeCertificate({ name: "chat.example.org" });
const certificate = certificateFolder(made);
const triesPerMinute = 3;

let chat: ChatUnderTest;
let nginx: Nginx;
let edgePort: number;
let port: number;
beforeAll(async () => {
  const servers = { natsUrl: inject("natsUrl"), postgresUrl: inject("postgresUrl"), valkeyUrl: inject("valkeyUrl") };
  chat = await chatUnderTest(servers);
  await chat.startCommands();
  const settings = { HUB_TRUSTED_PROXIES: "127.0.0.1", HUB_ATTEMPTS_PER_MINUTE: String(triesPerMinute) };
  edgePort = (await chat.startEdge(settings)).port;
  port = await freePort();
  nginx = await startNginx(documented(edgePort, port));
  await vi.waitFor(async () => (await secure()).destroy(), 10_000);
});
afterAll(async () => {
  await nginx?.close();
  await chat?.close();
  certificate.remove();
});

/** The block of the page, with the places of this test. */
function documented(upstream: number, listen: number): string {
  const page = readFileSync(join(checkout, "docs/proxy.md"), "utf8");
  const [, block = ""] = /```nginx\n(.*?)```/s.exec(page) ?? [];
  const places: readonly (readonly [string, string])[] = [
    ["127.0.0.1:7750", `127.0.0.1:${upstream}`],
    ["listen 443 ssl", `listen 127.0.0.1:${listen} ssl`],
    ["/etc/ssl/chat.example.org/fullchain.pem", certificate.files.cert],
    ["/etc/ssl/chat.example.org/key.pem", certificate.files.key],
  ];
  return places.reduce((text, [from, to]) => {
    expect(text).toContain(from);
    return text.replace(from, to);
  }, block);
}

function secure(to = port): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port: to, host: "127.0.0.1", ca: made.cert, servername: made.name }, () =>
      resolve(socket),
    );
    socket.once("error", reject);
  });
}

/** What is answered to these bytes until the connection ends, or the answer is there. */
async function raw(words: string): Promise<string> {
  const socket = await secure();
  let answer = "";
  socket.on("data", (chunk) => {
    answer += chunk;
  });
  socket.on("error", () => undefined);
  socket.write(words);
  await vi.waitFor(() => expect(answer).toMatch(/^HTTP\/1.1 \d+/), 5_000);
  socket.destroy();
  return answer.slice(9, 12);
}

interface Asked {
  readonly method?: string;
  readonly path: string;
  readonly from?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string | Buffer;
}

function ask({ method = "GET", path, from, headers = {}, body }: Asked): Promise<{ status: number; text: string }> {
  const target = { port, host: "127.0.0.1", servername: made.name, ca: made.cert, agent: false } as const;
  return new Promise((resolve, reject) => {
    const sent = request(
      { ...target, method, path, headers, ...(from && { localAddress: from }) },
      async (response) => {
        const text = Buffer.concat(await response.toArray()).toString();
        resolve({ status: response.statusCode ?? 0, text });
      },
    );
    sent.on("error", reject);
    sent.end(body);
  });
}

const post = (head: string, body = ""): string =>
  `POST /v1/sign-out HTTP/1.1\r\nHost: chat.example.org\r\n${head}\r\n\r\n${body}`;

describe("the nginx configuration of docs/proxy.md", () => {
  test("passes requests and WebSockets on", async () => {
    expect(await ask({ path: "/health" })).toEqual({ status: 200, text: '{"ok":true}' });
    const socket = await openRawWebSocket(port, "/v1/socket", { Host: made.name }, await secure());
    await vi.waitFor(() => expect(socket.received[0]).toContain('"hello"'));
    socket.tcp.destroy();
  });

  test.each([
    ["a length and chunks", post("Content-Length: 4\r\nTransfer-Encoding: chunked", "0\r\n\r\n")],
    ["two lengths", post("Content-Length: 3\r\nContent-Length: 5", "abcde")],
    ["the same length twice", post("Content-Length: 3\r\nContent-Length: 3", "abc")],
    ["a header that goes on in the next line", post("X-A: 1\r\n Content-Length: 5", "abcde")],
    ["a space before the colon", post("Content-Length : 5", "abcde")],
    ["a NUL in a header", post("X-A: \0")],
    ["a length that is no number", post("Content-Length: +5", "abcde")],
  ])("refuses %s", async (_, words) => {
    expect(await raw(words)).toBe("400");
  });

  test("refuses an encoding of the body that it does not know", async () => {
    expect(await raw(post("Transfer-Encoding: xchunked", "0\r\n\r\n"))).toBe("501");
  });

  test("what ends in LF alone reaches the edge as one request with CRLF", async () => {
    const got: string[] = [];
    const upstream = createServer((tcp) => {
      tcp.on("data", (chunk) => {
        got.push(chunk.toString());
        tcp.end("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
      });
    });
    await new Promise<void>((resolve) => upstream.listen(0, "127.0.0.1", resolve));
    const address = upstream.address();
    const other = await freePort();
    const second = await startNginx(documented(typeof address === "object" ? (address?.port ?? 0) : 0, other));
    const socket = await vi.waitFor(() => secure(other), 10_000);
    socket.write("GET /a HTTP/1.1\nHost: chat.example.org\nX-A: 1\n\n");
    await vi.waitFor(() => expect(got.join("")).toMatch(/\r\n\r\n$/), 5_000);
    expect(got.join("").replaceAll("\r\n", "")).not.toContain("\n");
    expect(got.join("").match(/HTTP\/1\.1\r\n/g)).toHaveLength(1);
    socket.destroy();
    await second.close();
    upstream.close();
  });

  test("bounds headers and bodies, and lets a file of any allowed length through to the edge", async () => {
    const body = (length: number) => ask({ method: "POST", path: "/v1/sign-out", body: Buffer.alloc(length, "x") });
    // The edge read so many, and they are no JSON.
    expect((await body(65_536)).text).toContain("BadJson");
    expect((await body(65_537)).status).toBe(413);
    const upload = await ask({ method: "POST", path: "/v1/files", body: Buffer.alloc(200_000) });
    expect(upload.status).toBe(401);
    expect((await ask({ path: "/health", headers: { "x-long": "x".repeat(3_000) } })).status).toBe(200);
    expect((await ask({ path: "/health", headers: { "x-long": "x".repeat(4_100) } })).status).toBe(400);
    expect((await ask({ path: `/${"x".repeat(4_100)}` })).status).toBe(414);
  });

  test("each of its clients has a budget of its own, and can't take another's", async () => {
    const signIn = (from: string, said: string) =>
      ask({
        method: "POST",
        path: "/v1/sign-in",
        from,
        headers: { "x-forwarded-for": said },
        body: JSON.stringify({ email: `${crypto.randomUUID()}@example.org`, password: "correct horse" }),
      });
    const tries = async (from: string, count: number) => {
      const statuses: number[] = [];
      for (let at = 0; at < count; at++) statuses.push((await signIn(from, `203.0.113.${at}`)).status);
      return statuses;
    };
    expect(await tries("127.0.0.2", triesPerMinute + 1)).toEqual([401, 401, 401, 429]);
    expect(await tries("127.0.0.3", triesPerMinute)).toEqual([401, 401, 401]);
  });
});

test("without a trusted proxy what a client says of its address does not count", async () => {
  const edge = await chat.startEdge({ HUB_ATTEMPTS_PER_MINUTE: "2" });
  const statuses: number[] = [];
  for (let at = 0; at < 3; at++) {
    const body = JSON.stringify({ email: `${crypto.randomUUID()}@example.org`, password: "correct horse" });
    const headers = { "x-forwarded-for": `203.0.113.${at}` };
    statuses.push((await fetch(`${edge.url}/v1/sign-in`, { method: "POST", headers, body })).status);
  }
  expect(statuses).toEqual([401, 401, 429]);
});
