import { connect, createServer as createTcpServer } from "node:net";
import { afterEach, describe, expect, test, vi } from "vitest";
import { openRawWebSocket, type RawWebSocket } from "../../tests/setup/rawWebSocket.ts";
import { assertPortFree } from "./assertPortFree.ts";
import {
  CannotListen,
  createServer,
  type HttpRequest,
  type HttpResponse,
  PortTaken,
  type Server,
  type Socket,
} from "./index.ts";

const path = "/v1/socket";
const bytes = (text: string) => new TextEncoder().encode(text);

interface Session {
  readonly socket: Socket;
  readonly origin: string | undefined;
  readonly messages: (string | Uint8Array)[];
  readonly closeCodes: number[];
  drops: number;
  drains: number;
}

interface Behaviour {
  readonly http?: (request: HttpRequest) => Promise<HttpResponse>;
  readonly onOpen?: (socket: Socket) => void;
  readonly onMessage?: (session: Session, message: string | Uint8Array) => void | Promise<void>;
  readonly onDropped?: (session: Session) => void;
  readonly port?: number;
}

const started: Server[] = [];
const opened: RawWebSocket[] = [];

afterEach(async () => {
  for (const socket of opened.splice(0)) socket.tcp.destroy();
  await Promise.all(started.splice(0).map((server) => server.close(0)));
});

async function start(behaviour: Behaviour = {}) {
  const sessions: Session[] = [];
  const errors: unknown[] = [];
  const server = await createServer<Session>({
    host: "127.0.0.1",
    port: behaviour.port ?? 0,
    limits: { frameBytes: 1_000, bodyBytes: 1_000, backpressureBytes: 100_000 },
    onError: (error) => errors.push(error),
    refusal: (status) => ({ status, body: `refused ${status}` }),
    http: behaviour.http ?? (async () => ({ status: 404 })),
    socket: {
      path,
      open: (socket, opening) => {
        const session: Session = { socket, origin: opening.origin, messages: [], closeCodes: [], drops: 0, drains: 0 };
        sessions.push(session);
        behaviour.onOpen?.(socket);
        return session;
      },
      message: (session, message) => {
        session.messages.push(message);
        return behaviour.onMessage?.(session, message);
      },
      dropped: (session) => {
        session.drops++;
        behaviour.onDropped?.(session);
      },
      drain: (session) => void session.drains++,
      close: (session, code) => void session.closeCodes.push(code),
    },
  });
  started.push(server);
  return { server, sessions, errors, url: `http://127.0.0.1:${server.port}` };
}

async function open(server: Server, headers?: Record<string, string>): Promise<RawWebSocket> {
  const socket = await openRawWebSocket(server.port, path, headers);
  opened.push(socket);
  return socket;
}

async function freePort(): Promise<number> {
  const probe = createTcpServer();
  await new Promise<void>((resolve) => probe.listen(0, "127.0.0.1", resolve));
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return typeof address === "object" && address !== null ? address.port : 0;
}

/** What a bare TCP connection gets for `request` until the server closes it. */
function speakRaw(server: Server, request: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const tcp = connect(server.port, "127.0.0.1", () => tcp.write(request));
    let answer = "";
    tcp.on("data", (chunk) => {
      answer += chunk;
    });
    tcp.on("error", reject);
    tcp.on("close", () => resolve(answer));
  });
}

describe("HTTP", () => {
  test("a handler sees method, path, query, headers, body and address, also after an await", async () => {
    const seen: HttpRequest[] = [];
    const { url } = await start({
      http: async (request) => {
        await Promise.resolve();
        seen.push(request);
        return { status: 201, headers: { "Content-Type": "text/plain" }, body: bytes("made") };
      },
    });
    const response = await fetch(`${url}/v1/a%20b?limit=5`, {
      method: "POST",
      body: "hello",
      headers: { "X-One": "1" },
    });
    expect([response.status, response.headers.get("content-type"), await response.text()]).toEqual([
      201,
      "text/plain",
      "made",
    ]);
    expect(seen[0]).toMatchObject({
      method: "POST",
      path: "/v1/a%20b",
      body: bytes("hello"),
      remoteAddress: "127.0.0.1",
    });
    expect([seen[0]?.query.get("limit"), seen[0]?.headers.get("x-one")]).toEqual(["5", "1"]);
  });

  test("GET has an empty body and HEAD gets the length without the body", async () => {
    const { url } = await start({ http: async (request) => ({ status: 200, body: `${request.body.length} bytes` }) });
    expect(await (await fetch(url)).text()).toBe("0 bytes");
    const head = await fetch(url, { method: "HEAD" });
    expect([head.headers.get("content-length"), await head.text()]).toEqual(["7", ""]);
  });

  test.each([
    [999, 200],
    [1_000, 200],
    [1_001, 413],
  ])("a body of %i bytes, where 1000 are allowed, is answered with %i", async (length, status) => {
    const { url } = await start({ http: async (request) => ({ status: 200, body: `${request.body.length}` }) });
    const response = await fetch(url, { method: "POST", body: "x".repeat(length) });
    expect([response.status, await response.text()]).toEqual([status, status === 200 ? `${length}` : "refused 413"]);
  });

  test("a handler that throws is answered with 500 and the server goes on", async () => {
    const { url, errors } = await start({
      http: async (request) => {
        if (request.path === "/bad") throw new Error("no luck");
        return { status: 200 };
      },
    });
    const response = await fetch(`${url}/bad`);
    expect([response.status, await response.text()]).toEqual([500, "refused 500"]);
    expect(errors).toEqual([new Error("no luck")]);
    expect((await fetch(url)).status).toBe(200);
  });

  test("a header with a line break in it is a bug, not a second header", async () => {
    const { url, errors } = await start({ http: async () => ({ status: 200, headers: { "X-A": "1\r\nX-B: 2" } }) });
    const response = await fetch(url);
    expect([response.status, response.headers.get("x-b"), errors.length]).toEqual([500, null, 1]);
  });

  test("a request with two lengths is refused and its connection closed", async () => {
    const { server } = await start();
    const answer = await speakRaw(
      server,
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 5\r\n\r\nabcde",
    );
    expect(answer).toMatch(/^HTTP\/1.1 400 /);
  });

  test("a client that goes away while its request is worked on harms nobody", async () => {
    const waiting: (() => void)[] = [];
    const { server, url, errors } = await start({
      http: async (request) => {
        if (request.path === "/slow") await new Promise<void>((resolve) => waiting.push(resolve));
        return { status: 200, body: "done" };
      },
    });
    const clients = Array.from({ length: 20 }, () => connect(server.port, "127.0.0.1"));
    for (const client of clients) client.write("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
    await vi.waitFor(() => expect(waiting).toHaveLength(20));
    for (const client of clients) client.resetAndDestroy();
    await fetch(url);
    for (const resolve of waiting) resolve();
    expect(await (await fetch(url)).text()).toBe("done");
    expect(errors).toEqual([]);
  });

  test("closing waits for the requests under way", async () => {
    const waiting: (() => void)[] = [];
    const { server, url } = await start({
      http: async () => {
        await new Promise<void>((resolve) => waiting.push(resolve));
        return { status: 200, body: "done" };
      },
    });
    const answer = fetch(url).then((response) => response.text());
    await vi.waitFor(() => expect(waiting).toHaveLength(1));
    const closing = server.close(5_000);
    waiting[0]?.();
    expect(await answer).toBe("done");
    await closing;
  });

  test("closing is not held up by a request that is never answered", async () => {
    const seen: string[] = [];
    const { server, url } = await start({
      http: ({ path }) => {
        seen.push(path);
        return new Promise(() => {});
      },
    });
    const answer = fetch(url).catch(() => "cut");
    await vi.waitFor(() => expect(seen).toHaveLength(1));
    await server.close(10);
    expect(await answer).toBe("cut");
  });
});

describe("listening", () => {
  test("a taken port is an error that names the variable", async () => {
    const { server } = await start();
    const second = start({ port: server.port });
    await expect(second).rejects.toThrow(PortTaken);
    await expect(second).rejects.toThrow(/HUB_PORT/);
  });

  test("a port that was closed can be listened at again at once", async () => {
    const port = await freePort();
    for (let round = 0; round < 3; round++) {
      const { server, url } = await start({ port, http: async () => ({ status: 200 }) });
      expect((await fetch(url)).status).toBe(200);
      await server.close();
    }
  });

  test("an address that this machine does not have is an error of its own", async () => {
    await expect(assertPortFree("192.0.2.1", 9)).rejects.toThrow(CannotListen);
  });
});

describe("sockets", () => {
  test("text and binary messages arrive as such, and the origin is passed on", async () => {
    const { server, sessions } = await start();
    const client = await open(server, { Origin: "https://chat.example" });
    client.send("grüß");
    client.send(bytes("raw"));
    await vi.waitFor(() => expect(sessions[0]?.messages).toEqual(["grüß", bytes("raw")]));
    expect([sessions[0]?.origin, sessions[0]?.socket.remoteAddress]).toEqual(["https://chat.example", "127.0.0.1"]);
  });

  test("published bytes are passed on as they are", async () => {
    const { server } = await start({ onOpen: (socket) => socket.subscribe("room") });
    const client = await open(server);
    const whole = bytes('xx{"not": json,, }yy');
    server.publish("room", whole.subarray(2, whole.length - 2));
    await vi.waitFor(() => expect(client.received).toEqual(['{"not": json,, }']));
  });

  test("a socket that leaves its topic gets what was published before, in the same tick too, and nothing after", async () => {
    const { server } = await start({
      onOpen: (socket) => socket.subscribe("room"),
      onMessage: ({ socket }) => {
        server.publish("room", bytes("before"));
        socket.unsubscribe("room");
        server.publish("room", bytes("after"));
        socket.send("end");
      },
    });
    const [leaver, stayer] = [await open(server), await open(server)];
    leaver.send("leave");
    await vi.waitFor(() => expect(leaver.received).toContain("end"));
    await vi.waitFor(() => expect(stayer.received).toEqual(["before", "after"]));
    expect(leaver.received).toEqual(["before", "end"]);
  });

  test("the same outside of a socket's own callback, and in the order of publish and send", async () => {
    const { server, sessions } = await start({ onOpen: (socket) => socket.subscribe("room") });
    const client = await open(server);
    await vi.waitFor(() => expect(sessions).toHaveLength(1));
    for (let round = 0; round < 100; round++) {
      server.publish("room", bytes(`p${round}`));
      sessions[0]?.socket.send(`s${round}`);
      sessions[0]?.socket.unsubscribe("room");
      server.publish("room", bytes("hidden"));
      sessions[0]?.socket.subscribe("room");
    }
    await vi.waitFor(() => expect(client.received).toHaveLength(200));
    expect(client.received).toEqual(Array.from({ length: 100 }, (_, round) => [`p${round}`, `s${round}`]).flat());
  });

  test.each([
    [1_000, "arrives"],
    [1_001, "closes the socket"],
  ])("a message of %i bytes, where 1000 are allowed, %s", async (length, outcome) => {
    const { server, sessions } = await start();
    const client = await open(server);
    client.send("x".repeat(length));
    if (outcome === "arrives") await vi.waitFor(() => expect(sessions[0]?.messages[0]).toHaveLength(length));
    else expect(await client.closed).toBe(1006);
    expect(sessions[0]?.closeCodes.length).toBe(outcome === "arrives" ? 0 : 1);
  });

  test("text that is not UTF-8 and bytes that are no frame close the socket", async () => {
    const { server, sessions } = await start();
    const [client, other] = [await open(server), await open(server)];
    client.tcp.write(Buffer.from([0x81, 0x81, 0, 0, 0, 0, 0xff]));
    other.tcp.write(Buffer.alloc(20, 0xff));
    await Promise.all([client.closed, other.closed]);
    await vi.waitFor(() => expect(sessions.map(({ closeCodes }) => closeCodes.length)).toEqual([1, 1]));
    expect(sessions[0]?.messages).toEqual([]);
  });

  test("a handler that throws or rejects closes its own socket with 1011 and no other", async () => {
    const { server, errors } = await start({
      onMessage: ({ socket }, message) => {
        if (message === "throw") throw new Error("thrown");
        if (message === "reject") return Promise.reject(new Error("rejected"));
        socket.send("fine");
      },
    });
    const [a, b, c] = [await open(server), await open(server), await open(server)];
    a.send("throw");
    b.send("reject");
    expect(await Promise.all([a.closed, b.closed])).toEqual([1011, 1011]);
    c.send("hello");
    await vi.waitFor(() => expect(c.received).toEqual(["fine"]));
    expect(errors).toEqual([new Error("thrown"), new Error("rejected")]);
  });

  test("a socket can be refused while it opens", async () => {
    const { server, sessions } = await start({ onOpen: (socket) => socket.close(1012, "draining") });
    expect(await (await open(server)).closed).toBe(1012);
    expect(sessions[0]?.closeCodes).toEqual([1012]);
  });

  test("clients that vanish are told to close once, and their sockets do nothing from then on", async () => {
    const resume: (() => void)[] = [];
    const { server, sessions, errors } = await start({
      onOpen: (socket) => socket.subscribe("room"),
      onMessage: async ({ socket }) => {
        await new Promise<void>((resolve) => resume.push(resolve));
        socket.cork(() => socket.send("too late"));
        socket.subscribe("other");
        socket.unsubscribe("room");
        socket.close(1000, "");
      },
    });
    const clients = await Promise.all(Array.from({ length: 20 }, () => open(server)));
    for (const client of clients) client.send("work");
    await vi.waitFor(() => expect(resume).toHaveLength(20));
    for (const client of clients) client.tcp.resetAndDestroy();
    await vi.waitFor(() => expect(sessions.flatMap(({ closeCodes }) => closeCodes)).toHaveLength(20));
    server.publish("room", bytes("to nobody"));
    for (const proceed of resume) proceed();
    await Promise.resolve();
    expect(sessions.map(({ socket }) => [socket.send("x"), socket.bufferedBytes])).toEqual(
      Array.from({ length: 20 }, () => ["dropped", 0]),
    );
    expect(sessions.flatMap(({ closeCodes }) => closeCodes)).toHaveLength(20);
    expect(errors).toEqual([]);
  });

  test("what is published to a slow reader beyond the bound is dropped with a notice, and drain says when to go on", async () => {
    const { server, sessions } = await start({ onOpen: (socket) => socket.subscribe("room") });
    const client = await open(server);
    await vi.waitFor(() => expect(sessions).toHaveLength(1));
    const session = sessions[0];
    if (session === undefined) throw new Error("no session");
    client.tcp.pause();
    const message = bytes("x".repeat(50_000));
    await vi.waitFor(
      () => {
        for (let i = 0; i < 20; i++) server.publish("room", message);
        expect(session.drops).toBeGreaterThan(0);
      },
      { timeout: 5_000, interval: 1 },
    );
    expect(session.socket.bufferedBytes).toBeGreaterThan(0);
    expect(session.socket.send("x")).toBe("dropped");
    client.tcp.resume();
    await vi.waitFor(() => expect(session.socket.bufferedBytes).toBe(0));
    expect(session.drains).toBeGreaterThan(0);
    expect(session.socket.send("end")).toBe("sent");
    await vi.waitFor(() => expect(client.received.at(-1)).toBe("end"));
  });

  test.each(["leaves its topics", "closes"] as const)(
    "a slow reader that %s when it hears of a loss harms nobody",
    async (what) => {
      const topics = ["a", "b", "c"];
      const { server, sessions, errors } = await start({
        onOpen(socket) {
          for (const topic of topics) socket.subscribe(topic);
        },
        onDropped({ socket }) {
          if (what === "closes") socket.close(1008, "slow");
          else for (const topic of topics) socket.unsubscribe(topic);
        },
      });
      const [slow, other] = [await open(server), await open(server)];
      await vi.waitFor(() => expect(sessions).toHaveLength(2));
      slow.tcp.pause();
      const message = bytes("x".repeat(50_000));
      await vi.waitFor(
        () => {
          for (let i = 0; i < 20; i++) server.publish(topics[i % 3] ?? "", message);
          expect(sessions[0]?.drops).toBeGreaterThan(0);
        },
        { timeout: 5_000, interval: 1 },
      );
      await new Promise((resolve) => setImmediate(resolve));
      const before = sessions[0]?.drops;
      await vi.waitFor(() => expect(sessions[1]?.socket.bufferedBytes).toBe(0));
      for (let i = 0; i < 20; i++) server.publish("a", bytes(`${i}`));
      await vi.waitFor(() => expect(other.received.at(-1)).toBe("19"));
      expect([sessions[0]?.drops, errors]).toEqual([before, []]);
      if (what === "closes") expect(sessions[0]?.closeCodes).toEqual([1008]);
      else expect(sessions[0]?.closeCodes).toEqual([]);
    },
  );

  test("closing the server closes its sockets", async () => {
    const { server, sessions } = await start();
    const client = await open(server);
    await server.close();
    expect(await client.closed).toBe(1006);
    expect(sessions[0]?.closeCodes).toEqual([1006]);
  });

  test("without listening, open sockets go on and new ones are refused", async () => {
    const { server, sessions } = await start();
    const client = await open(server);
    server.stopListening();
    await expect(open(server)).rejects.toThrow();
    client.send("still here");
    await vi.waitFor(() => expect(sessions[0]?.messages).toEqual(["still here"]));
  });
});
