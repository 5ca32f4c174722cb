import { randomUUID } from "node:crypto";
import { connect, createServer, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, expect, inject, test, vi } from "vitest";
import { type BudgetOptions, connectValkey, type Valkey, ValkeyUnreachable } from "./index.ts";

const options: BudgetOptions = { name: "sign-in", points: 3, perSeconds: 60 };
const opened: { close(): Promise<void> }[] = [];

/** A line to the real server that can be cut, held and mended. */
interface Line {
  readonly url: string;
  cut(): Promise<void>;
  mend(): Promise<void>;
  hold(): void;
  close(): Promise<void>;
}

let key: string;

beforeEach(() => {
  key = randomUUID();
});

afterEach(async () => {
  for (const one of opened.splice(0)) await one.close();
});

async function open(url = inject("valkeyUrl")): Promise<Valkey> {
  const valkey = await connectValkey(url, { onError: () => {} });
  opened.push(valkey);
  return valkey;
}

async function openLine(): Promise<Line> {
  const real = new URL(inject("valkeyUrl"));
  const pairs: [Socket, Socket][] = [];
  let server: Server;
  const listen = (port: number) =>
    new Promise<number>((resolve) => {
      server = createServer((client) => {
        const target = connect(Number(real.port), real.hostname);
        for (const socket of [client, target]) socket.on("error", () => {});
        client.pipe(target).pipe(client);
        pairs.push([client, target]);
      }).listen(port, "127.0.0.1", () => {
        const address = server.address();
        resolve(typeof address === "object" && address ? address.port : 0);
      });
    });
  const port = await listen(0);
  const url = new URL(real);
  url.port = String(port);
  const cut = () => {
    for (const socket of pairs.splice(0).flat()) socket.destroy();
    return new Promise<void>((resolve) => server.close(() => resolve()));
  };
  const line: Line = {
    url: url.href,
    cut,
    close: cut,
    mend: async () => void (await listen(port)),
    hold: () => {
      for (const [client, target] of pairs) {
        client.unpipe(target);
        client.pause();
      }
    },
  };
  opened.push(line);
  return line;
}

test("a budget is spent, by key, and says when there is a new one", async () => {
  const budget = (await open()).budget(options);
  const answers = [];
  for (let attempt = 0; attempt < 5; attempt++) answers.push(await budget.consume(key));
  const exhausted = { ok: false, reason: "exhausted", retryAfterMs: expect.closeTo(60_000, -4) };
  expect(answers).toEqual([{ ok: true }, { ok: true }, { ok: true }, exhausted, exhausted]);
  expect(await budget.consume(randomUUID())).toEqual({ ok: true });
});

test("a spent budget comes back after its time", async () => {
  const budget = (await open()).budget({ name: "short", points: 1, perSeconds: 1 });
  expect(await budget.consume(key)).toEqual({ ok: true });
  expect(await budget.consume(key)).toMatchObject({ ok: false });
  await vi.waitFor(async () => expect(await budget.consume(key)).toEqual({ ok: true }), { timeout: 3_000 });
});

test("two processes share a budget, two names don't", async () => {
  const [one, other] = [await open(), await open()];
  const [here, there] = [one.budget(options), other.budget(options)];
  expect(await Promise.all([here, there, here].map((budget) => budget.consume(key)))).toEqual(
    Array(3).fill({ ok: true }),
  );
  expect(await there.consume(key)).toMatchObject({ ok: false, reason: "exhausted" });
  expect(await other.budget({ ...options, name: "register" }).consume(key)).toEqual({ ok: true });
});

test("of many attempts at once exactly as many pass as there are points", async () => {
  const budget = (await open()).budget({ name: "race", points: 10, perSeconds: 60 });
  const answers = await Promise.all(Array.from({ length: 100 }, () => budget.consume(key)));
  expect(answers.filter(({ ok }) => ok)).toHaveLength(10);
});

test("while the server is away nothing is allowed; when it is back the count goes on", async () => {
  const line = await openLine();
  const budget = (await open(line.url)).budget(options);
  expect(await budget.consume(key)).toEqual({ ok: true });
  await line.cut();
  await vi.waitFor(async () => expect(await budget.consume(key)).toMatchObject({ ok: false, reason: "unavailable" }));
  await line.mend();
  await vi.waitFor(async () => expect(await budget.consume(key)).toMatchObject({ reason: "exhausted" }), {
    timeout: 10_000,
  });
});

test("a server that says nothing more is unavailable within the second", async () => {
  const line = await openLine();
  const budget = (await open(line.url)).budget(options);
  line.hold();
  const startedAt = Date.now();
  expect(await budget.consume(key)).toMatchObject({ ok: false, reason: "unavailable" });
  expect(Date.now() - startedAt).toBeLessThan(3_000);
});

test("nobody there, or a wrong password, is an error of its own at the start", async () => {
  const wrongPassword = new URL(inject("valkeyUrl"));
  wrongPassword.password = "wrong";
  await expect(open(wrongPassword.href)).rejects.toThrow(ValkeyUnreachable);
  await expect(open("redis://127.0.0.1:1")).rejects.toThrow(/ECONNREFUSED/);
});
