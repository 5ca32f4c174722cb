import { once } from "node:events";
import { connect, type Socket as Tcp } from "node:net";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { createServer, type Server } from "./index.ts";

let server: Server;
const opened: Tcp[] = [];
beforeAll(async () => {
  server = await createServer<object>({
    host: "127.0.0.1",
    port: 0,
    limits: { frameBytes: 1_000, bodyBytes: 1_000, backpressureBytes: 1_000 },
    onError: (error) => {
      throw error;
    },
    refusal: (status) => ({ status }),
    http: async ({ body }) => ({ status: 200, body: `${body.length} bytes` }),
    socket: { path: "/ws", open: () => ({}), message() {}, dropped() {}, drain() {}, close() {} },
  });
});
afterAll(async () => {
  for (const tcp of opened) tcp.destroy();
  await server.close(0);
});

async function line(): Promise<Tcp> {
  const tcp = connect(server.port, "127.0.0.1");
  opened.push(tcp);
  tcp.setNoDelay(true);
  tcp.on("error", () => undefined);
  await once(tcp, "connect");
  return tcp;
}

/** The status that is answered when `words` come whole or in pieces; `cut` without an answer. */
async function statusOf(words: string, pieceBytes = words.length): Promise<string> {
  const tcp = await line();
  let answer = "";
  tcp.on("data", (chunk) => {
    answer += chunk;
  });
  const closed = once(tcp, "close");
  for (let at = 0; at < words.length && !tcp.destroyed; at += pieceBytes) {
    tcp.write(words.slice(at, at + pieceBytes));
    await new Promise((resolve) => setImmediate(resolve));
  }
  await Promise.race([closed, vi.waitFor(() => expect(answer).toContain("\r\n"), { timeout: 5_000, interval: 2 })]);
  tcp.destroy();
  return answer === "" ? "cut" : answer.slice(9, 12);
}

function headOf(bytes: number, first = "GET /x?a=b HTTP/1.1"): string {
  const begin = `${first}\r\nHost: a\r\nX-Long: `;
  return `${begin}${"x".repeat(bytes - begin.length - 4)}\r\n\r\n`;
}

function headOfMany(count: number): string {
  const more = Array.from({ length: count - 1 }, (_, at) => `a${at}: b\r\n`).join("");
  return `GET / HTTP/1.1\r\nHost: a\r\n${more}\r\n`;
}

const post = (head: string, body = "abcd") => `POST / HTTP/1.1\r\nHost: a\r\n${head}\r\n\r\n${body}`;

describe("a head", () => {
  test.each([
    [16_383, "200"],
    [16_384, "200"],
    [16_385, "431"],
    [200_000, "431"],
  ])("of %i bytes is answered with %s, whole or in pieces", async (bytes, status) => {
    expect(await statusOf(headOf(bytes))).toBe(status);
    expect(await statusOf(headOf(bytes), 1_400)).toBe(status);
  });

  test("that opens a socket has the same bound", async () => {
    const open =
      "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==";
    expect(await statusOf(headOf(16_384, `GET /ws HTTP/1.1\r\n${open}`))).toBe("101");
    expect(await statusOf(headOf(16_385, `GET /ws HTTP/1.1\r\n${open}`))).toBe("431");
  });

  test.each([97, 98])("of %i headers is read", async (count) => {
    expect(await statusOf(headOfMany(count))).toBe("200");
  });
});

describe("what two readers may read in two ways is refused:", () => {
  test.each([
    ["a length and chunks", post("Content-Length: 4\r\nTransfer-Encoding: chunked", "0\r\n\r\n"), "400"],
    ["one length twice", post("Content-Length: 4\r\nContent-Length: 4"), "400"],
    ["an encoding that is not known", post("Transfer-Encoding: xchunked", "0\r\n\r\n"), "400"],
    ["two encodings", post("Transfer-Encoding: gzip, chunked", "0\r\n\r\n"), "400"],
    ["an encoding twice", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "0\r\n\r\n"), "400"],
    ["a length with a sign", post("Content-Length: +4"), "400"],
    ["a length past all numbers", post(`Content-Length: ${"9".repeat(30)}`), "400"],
    ["lines that end in LF alone", "GET / HTTP/1.1\nHost: a\n\n", "505"],
  ])("%s", async (_, words, outcome) => {
    expect(await statusOf(words)).toBe(outcome);
  });

  test("chunks alone are a body like any other", async () => {
    expect(await statusOf(post("Transfer-Encoding: chunked", "4\r\nabcd\r\n0\r\n\r\n"))).toBe("200");
  });
});

// The library gives a connection 10 s to bring a whole head, and cuts a body of which less than 160 KB came in 10 s; it looks every 4 s.
const cutWithinMs = 16_000;

test.concurrent.each([
  ["99 headers", headOfMany(99)],
  ["a space before the colon", post("Content-Length : 4")],
  ["a header that goes on in the next line", post("X-A: 1\r\n Content-Length: 4")],
  ["no host", "GET / HTTP/1.1\r\n\r\n"],
])("a head with %s is never answered, nor what follows it, and soon cut", async (_, words) => {
  const tcp = await line();
  let answer = "";
  tcp.on("data", (chunk) => {
    answer += chunk;
  });
  tcp.write(`${words}GET / HTTP/1.1\r\nHost: a\r\n\r\n`);
  const begunAt = performance.now();
  await once(tcp, "close");
  expect([answer, performance.now() - begunAt < cutWithinMs]).toEqual(["", true]);
});

test.concurrent("who sends a head or a body byte by byte is cut soon, holds little memory, and is in nobody's way", async () => {
  const count = 150;
  const rss = process.memoryUsage().rss;
  const begunAt = performance.now();
  const heads = ["GET / HTTP/1.1\r\nX-A: ", `GET / HTTP/1.1\r\nX-A: ${"x".repeat(15_000)}`];
  const bodies = ["POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 900\r\n\r\n"];
  const lines = await Promise.all(
    Array.from({ length: count }, async (_, at) => {
      const tcp = await line();
      tcp.write([...heads, ...bodies][at % 3] ?? "");
      const dripping = setInterval(() => tcp.write("x"), 500);
      return once(tcp, "close").then(() => clearInterval(dripping));
    }),
  );
  expect(await statusOf("GET / HTTP/1.1\r\nHost: a\r\n\r\n")).toBe("200");
  expect(process.memoryUsage().rss - rss).toBeLessThan(32 * 1024 * 1024);
  await Promise.all(lines);
  expect(performance.now() - begunAt).toBeLessThan(cutWithinMs);
  expect(await statusOf("GET / HTTP/1.1\r\nHost: a\r\n\r\n")).toBe("200");
}, 30_000);
