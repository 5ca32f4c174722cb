import { once } from "node:events";
import { connect, type Socket } from "node:net";
import fc from "fast-check";
import { afterEach, describe, expect, test, vi } from "vitest";
import { createServer, type HttpRequest, type HttpResponse, RequestAborted, type Server } from "./index.ts";

const MiB = 1024 * 1024;
/** What two kernels' socket buffers and ours may hold together. */
const buffersAtMost = 24 * MiB;
const piece = Buffer.alloc(64 * 1024, "abcdefgh");

const started: Server[] = [];
const opened: Socket[] = [];

afterEach(async () => {
  for (const tcp of opened.splice(0)) tcp.destroy();
  await Promise.all(started.splice(0).map((server) => server.close(0)));
});

async function start(http: (request: HttpRequest) => Promise<HttpResponse>, stallMs?: number) {
  const errors: unknown[] = [];
  const server = await createServer<object>({
    host: "127.0.0.1",
    port: 0,
    limits: { frameBytes: 1_000, bodyBytes: 1_000, backpressureBytes: 1_000, ...(stallMs && { stallMs }) },
    onError: (error) => errors.push(error),
    refusal: (status) => ({ status, body: `refused ${status}` }),
    takesStream: ({ method }) => method === "PUT",
    http,
    socket: { path: "/ws", open: () => ({}), message() {}, dropped() {}, drain() {}, close() {} },
  });
  started.push(server);
  return { server, errors, url: `http://127.0.0.1:${server.port}` };
}

interface RawClient {
  readonly tcp: Socket;
  /** What came so far. */
  text(): string;
  /** Resolves when the server has closed. */
  readonly closed: Promise<unknown>;
}

async function raw({ port }: Server): Promise<RawClient> {
  const tcp = connect(port, "127.0.0.1");
  opened.push(tcp);
  const chunks: Buffer[] = [];
  tcp.on("error", () => undefined);
  const closed = once(tcp, "close");
  await once(tcp, "connect");
  tcp.on("data", (chunk) => chunks.push(chunk));
  return { tcp, closed, text: () => Buffer.concat(chunks).toString("latin1") };
}

const putHead = (length: number, more = ""): string =>
  `PUT /x HTTP/1.1\r\nHost: a\r\nContent-Length: ${length}\r\n${more}\r\n`;

async function read(stream: AsyncIterable<Uint8Array> | undefined): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream ?? []) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function* pieces(length: number, onPiece: (sent: number) => void = () => undefined) {
  for (let sent = 0; sent < length; sent += piece.length) {
    onPiece(sent);
    yield piece.subarray(0, Math.min(piece.length, length - sent));
  }
}

describe("a body that comes as a stream", () => {
  test("has every byte, of any length, and the same connection takes further requests", async () => {
    const { server } = await start(async ({ stream, body }) => ({
      status: 200,
      body: `${(await read(stream)).toString("latin1").length}+${body.length};`,
    }));
    const client = await raw(server);
    for (const length of [0, 1, 3_000_000, 7]) {
      const before = client.text().length;
      client.tcp.write(putHead(length) + "x".repeat(length));
      await vi.waitFor(() => expect(client.text().slice(before)).toContain(`${length}+0;`));
    }
  });

  test("a request that is not to be streamed comes whole, as before", async () => {
    const { url } = await start(async ({ body, stream }) => ({ status: 200, body: `${body.length} ${stream}` }));
    const response = await fetch(url, { method: "POST", body: "hello" });
    expect(await response.text()).toBe("5 undefined");
  });

  test("a sender that is faster than its reader is stopped: 128 MiB in little memory", async () => {
    let go: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => {
      go = resolve;
    });
    const { server } = await start(async ({ stream }) => {
      let bytes = 0;
      for await (const chunk of stream ?? []) {
        if (bytes === 0) await gate;
        bytes += chunk.byteLength;
      }
      return { status: 200, body: `got ${bytes}` };
    });
    const client = await raw(server);
    const total = 128 * MiB;
    client.tcp.write(putHead(total));
    let sent = 0;
    const sending = (async () => {
      for (; sent < total; sent += piece.length) if (!client.tcp.write(piece)) await once(client.tcp, "drain");
    })();
    let before = -1;
    await vi.waitFor(
      () => {
        const now = sent;
        const stands = now === before && now > 0;
        before = now;
        expect(stands).toBe(true);
      },
      { timeout: 5_000, interval: 200 },
    );
    expect(sent).toBeLessThan(buffersAtMost);
    const rss = process.memoryUsage().rss;
    go();
    await sending;
    await vi.waitFor(() => expect(client.text()).toContain(`got ${total}`));
    expect(process.memoryUsage().rss - rss).toBeLessThan(96 * MiB);
  });

  test("cut at any byte it throws RequestAborted, and nothing else is harmed", async () => {
    const outcomes: unknown[] = [];
    const { server, errors, url } = await start(async ({ stream, method }) => {
      if (method === "PUT")
        await read(stream).then(
          (body) => outcomes.push(body.length),
          (error) => outcomes.push(error),
        );
      return { status: 200, body: "fine" };
    });
    const length = 200_000;
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: length - 1 }), fc.boolean(), async (at, politely) => {
        outcomes.length = 0;
        const client = await raw(server);
        client.tcp.write(putHead(length) + "x".repeat(at));
        // Aborted by a reset only when the server has begun to read, else the request is lost on the way.
        if (politely) client.tcp.end();
        else {
          await new Promise((resolve) => setImmediate(resolve));
          client.tcp.resetAndDestroy();
        }
        await client.closed;
        expect(await (await fetch(url)).text()).toBe("fine");
        await vi.waitFor(() => expect(outcomes.every((outcome) => outcome instanceof RequestAborted)).toBe(true));
      }),
      { numRuns: 60 },
    );
    expect(errors).toEqual([]);
  });

  test("more bytes than announced are another request, and none of the body", async () => {
    const bodies: string[] = [];
    const { server } = await start(async ({ stream }) => {
      bodies.push((await read(stream)).toString());
      return { status: 200 };
    });
    const client = await raw(server);
    client.tcp.write(`${putHead(5)}hello and more`);
    await client.closed;
    expect(bodies).toEqual(["hello"]);
  });

  test("a client that asks whether to go on is told so", async () => {
    const { server } = await start(async ({ stream }) => ({ status: 200, body: `got ${(await read(stream)).length}` }));
    const client = await raw(server);
    client.tcp.write(putHead(3, "Expect: 100-continue\r\n"));
    await vi.waitFor(() => expect(client.text()).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\n/));
    client.tcp.write("abc");
    await vi.waitFor(() => expect(client.text()).toContain("got 3"));
  });

  test.each(["", "Connection: close\r\n"])(
    "an answer before the end of the body arrives, whatever still comes goes nowhere (%j)",
    async (more) => {
      const { server, errors } = await start(async () => ({ status: 507, body: "no room" }));
      const client = await raw(server);
      client.tcp.write(putHead(64 * MiB, more));
      const chunk = Buffer.alloc(MiB);
      for (let sent = 0; sent < 64 && !client.tcp.destroyed; sent++) {
        if (!client.tcp.write(chunk)) await Promise.race([once(client.tcp, "drain"), client.closed]);
      }
      await vi.waitFor(() => expect(client.text()).toMatch(/^HTTP\/1\.1 507 .*\r\nconnection: close\r\n.*no room$/is));
      expect(errors).toEqual([]);
    },
  );

  test("fetch gets an early answer though it had much to send", async () => {
    const { url } = await start(async () => ({ status: 413, body: "too large" }));
    const response = await fetch(url, { method: "PUT", body: Buffer.alloc(32 * MiB) });
    expect([response.status, await response.text()]).toEqual([413, "too large"]);
  });

  test("a handler that stops reading and throws is answered with 500", async () => {
    const { url, errors } = await start(async ({ stream }) => {
      for await (const _ of stream ?? []) throw new Error("disk gone");
      return { status: 200 };
    });
    const response = await fetch(url, { method: "PUT", body: Buffer.alloc(8 * MiB) });
    expect([response.status, await response.text(), errors]).toEqual([500, "refused 500", [new Error("disk gone")]]);
  });

  test("a sender that stalls is cut, one that is merely slow is not", async () => {
    const seen: unknown[] = [];
    const { server } = await start(async ({ stream }) => {
      await read(stream).then(
        (body) => seen.push(body.length),
        (error) => seen.push(error.code),
      );
      return { status: 200, body: "done" };
    }, 400);
    const [slow, stalled] = [await raw(server), await raw(server)];
    stalled.tcp.write(`${putHead(10)}12`);
    slow.tcp.write(putHead(10));
    for (let at = 0; at < 10; at++) {
      slow.tcp.write("x");
      await new Promise((resolve) => setTimeout(resolve, 150));
    }
    await vi.waitFor(() => expect(slow.text()).toContain("done"));
    await stalled.closed;
    await vi.waitFor(() => expect(seen).toEqual(["RequestAborted", 10]));
  });
});

describe("a body that is made while it is sent", () => {
  const streamed = (length: number, onPiece?: (sent: number) => void): HttpResponse => ({
    status: 200,
    body: { length, stream: () => pieces(length, onPiece) },
  });

  test.each([0, 1, piece.length, 10 * MiB + 3])("arrives whole: %i bytes", async (length) => {
    const { url } = await start(async () => streamed(length));
    const response = await fetch(url);
    const body = Buffer.from(await response.arrayBuffer());
    expect([response.headers.get("content-length"), body.length]).toEqual([String(length), length]);
    expect(body.equals(await read(pieces(length)))).toBe(true);
  });

  test("HEAD gets the length, and the source is not begun", async () => {
    const begun: number[] = [];
    const { url } = await start(async () => streamed(12_345, (at) => begun.push(at)));
    const response = await fetch(url, { method: "HEAD" });
    expect([response.headers.get("content-length"), await response.text(), begun]).toEqual(["12345", "", []]);
  });

  test("the same connection takes further requests", async () => {
    const { server } = await start(async () => streamed(200_000));
    const client = await raw(server);
    for (let at = 1; at <= 3; at++) {
      client.tcp.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
      await vi.waitFor(() => expect(client.text().length).toBeGreaterThan(at * 200_000));
    }
  });

  test("a slow reader slows the source: 160 MiB in little memory, and all of it arrives", async () => {
    let made = 0;
    const total = 160 * MiB;
    const { server } = await start(async () =>
      streamed(total, (sent) => {
        made = sent;
      }),
    );
    const tcp = connect(server.port, "127.0.0.1");
    opened.push(tcp);
    await once(tcp, "connect");
    tcp.pause();
    tcp.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    await vi.waitFor(() => expect(made).toBeGreaterThan(0));
    const rss = process.memoryUsage().rss;
    let received = 0;
    let ahead = 0;
    tcp.on("data", (chunk) => {
      received += chunk.length;
      ahead = Math.max(ahead, made - received);
    });
    tcp.resume();
    await vi.waitFor(() => expect(received).toBeGreaterThan(total), { timeout: 9_000 });
    expect(ahead).toBeLessThan(buffersAtMost);
    expect(process.memoryUsage().rss - rss).toBeLessThan(96 * MiB);
  });

  test("a client that goes away ends the source", async () => {
    let ended = 0;
    const signals: AbortSignal[] = [];
    const { server, errors } = await start(async () => ({
      status: 200,
      body: {
        length: 1_000 * MiB,
        stream: async function* (gone) {
          signals.push(gone);
          try {
            yield* pieces(1_000 * MiB);
          } finally {
            ended++;
          }
        },
      },
    }));
    const clients = await Promise.all(Array.from({ length: 10 }, () => raw(server)));
    for (const { tcp } of clients) {
      tcp.pause();
      tcp.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    await vi.waitFor(() => expect(signals).toHaveLength(10));
    for (const { tcp } of clients) tcp.resetAndDestroy();
    await vi.waitFor(() => expect(ended).toBe(10));
    expect([signals.every(({ aborted }) => aborted), errors]).toEqual([true, []]);
  });

  test("a source that is too short or throws cuts the connection, so that nobody takes a part for the whole", async () => {
    const { url, errors } = await start(async ({ path }) => ({
      status: 200,
      body: {
        length: MiB,
        stream: async function* () {
          yield piece;
          if (path === "/throws") throw new Error("read error");
        },
      },
    }));
    for (const path of ["/short", "/throws"]) {
      const response = await fetch(url + path);
      await expect(response.arrayBuffer()).rejects.toThrow();
    }
    expect(errors).toEqual([new Error(`a streamed body ended after 65536 of ${MiB} bytes`), new Error("read error")]);
  });

  test("a source that is slow to close holds nothing up", async () => {
    const slow = async function* () {
      try {
        yield piece;
      } finally {
        await new Promise((resolve) => setTimeout(resolve, 300));
      }
    };
    const { url, errors } = await start(
      async () => ({ status: 200, body: { length: piece.length, stream: slow } }),
      50,
    );
    for (let at = 0; at < 3; at++) expect((await (await fetch(url)).arrayBuffer()).byteLength).toBe(piece.length);
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(errors).toEqual([]);
  });

  test("a source that is too long is cut to the length", async () => {
    const { url } = await start(async () => ({ status: 200, body: { length: 5, stream: () => pieces(100) } }));
    expect(await (await fetch(url)).text()).toBe("abcde");
  });

  test("a reader that pauses for some seconds gets the rest when it reads on", async () => {
    const { server } = await start(async () => streamed(32 * MiB));
    const tcp = connect(server.port, "127.0.0.1");
    opened.push(tcp);
    tcp.pause();
    tcp.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    await new Promise((resolve) => setTimeout(resolve, 5_000));
    let received = 0;
    tcp.on("data", (chunk) => {
      received += chunk.length;
    });
    tcp.resume();
    await vi.waitFor(() => expect(received).toBeGreaterThan(32 * MiB), { timeout: 10_000 });
  }, 30_000);

  test("a reader that stalls is cut", async () => {
    const { server } = await start(async () => streamed(100 * MiB), 300);
    const tcp = connect(server.port, "127.0.0.1");
    opened.push(tcp);
    tcp.on("error", () => undefined);
    tcp.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    await once(tcp, "connect");
    tcp.pause();
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    let received = 0;
    tcp.on("data", (chunk) => {
      received += chunk.length;
    });
    tcp.resume();
    await once(tcp, "close");
    expect(received).toBeLessThan(100 * MiB);
  });

  test("closing the server ends what is being sent", async () => {
    const { server, url } = await start(async () => streamed(1_000 * MiB));
    const response = await fetch(url);
    await server.close(10);
    await expect(response.arrayBuffer()).rejects.toThrow();
  });
});
