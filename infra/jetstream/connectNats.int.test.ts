import { createServer, type Server } from "node:net";
import { LogUnavailable } from "@connect-hub/domain/kernel";
import { afterEach, expect, inject, test } from "vitest";
import { connectNats } from "./connectNats.ts";
import { LogServerTooOld } from "./errors.ts";

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

/** Something that says it is a NATS server of some version, and takes any user or none. */
async function fakeServer(version: string, takesUsers = true): Promise<string> {
  const server: Server = createServer((socket) => {
    const info = {
      server_id: "F",
      version,
      go: "go1",
      host: "127.0.0.1",
      port: 0,
      headers: true,
      max_payload: 1048576,
      proto: 1,
    };
    socket.on("error", () => undefined);
    socket.on("data", (data) => {
      if (!data.includes("PING")) return;
      if (takesUsers) socket.write("PONG\r\n");
      else socket.end("-ERR 'Authorization Violation'\r\n");
    });
    socket.write(`INFO ${JSON.stringify(info)}\r\n`);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closing.push(() => new Promise((resolve) => server.close(resolve)));
  const address = server.address();
  return `nats://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`;
}

test("a link knows its server and is connected", async () => {
  const link = await connectNats({ url: inject("natsUrl"), name: "t", inboxPrefix: "_INBOX_t" });
  expect(link.serverVersion).toMatch(/^2\.\d+\./);
  expect(link.connected).toBe(true);
  expect(link.newInbox()).toMatch(/^_INBOX_t\./);
  expect(await link.whenConnected(0)).toBe(true);
  await link.close();
  expect(link.connected).toBe(false);
  expect(await link.whenConnected(10)).toBe(false);
  await link.close();
});

test("no server is `LogUnavailable`, after the deadline and not before", async () => {
  const startedAt = Date.now();
  const connecting = connectNats({ url: "nats://127.0.0.1:1", name: "t", deadlineMs: 600 });
  await expect(connecting).rejects.toThrow(LogUnavailable);
  await expect(connecting).rejects.toThrow("No NATS server answers at 127.0.0.1:1.");
  expect(Date.now() - startedAt).toBeGreaterThan(400);
});

test("a refused user is said at once", async () => {
  const url = await fakeServer("2.12.0", false);
  const connecting = connectNats({ url, user: "nobody", password: "x", name: "t", deadlineMs: 20_000 });
  await expect(connecting).rejects.toThrow('refused the user "nobody"');
});

test("a server that is too old is said with its version", async () => {
  const connecting = connectNats({ url: await fakeServer("2.11.9"), name: "t" });
  await expect(connecting).rejects.toThrow(LogServerTooOld);
  await expect(connecting).rejects.toThrow("2.11.9; 2.12 or later");
});

test("2.12 and everything later is new enough", async () => {
  for (const version of ["2.12.0", "2.15.1", "3.0.0-beta"]) {
    const link = await connectNats({ url: await fakeServer(version), name: "t" });
    expect(link.serverVersion).toBe(version);
    await link.close();
  }
});

test("a server that comes late is waited for", async () => {
  const first = await fakeServer("2.12.0");
  const port = Number(new URL(first).port);
  await closing.pop()?.();
  const connecting = connectNats({ url: first, name: "t", deadlineMs: 10_000 });
  const late = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.on("data", (data) => data.includes("PING") && socket.write("PONG\r\n"));
    socket.write(`INFO ${JSON.stringify({ version: "2.12.0", max_payload: 1, headers: true })}\r\n`);
  });
  await new Promise<void>((resolve) => late.listen(port, "127.0.0.1", resolve));
  closing.push(() => new Promise((resolve) => late.close(resolve)));
  await (await connecting).close();
});
