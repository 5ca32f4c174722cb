import { createServer, type Server } from "node:net";
import { afterEach, expect, inject, test } from "vitest";
import { freePort } from "./ports.ts";
import { checkUrlServer } from "./urlServer.ts";

let fake: Server | undefined;

afterEach(() => {
  fake?.close();
  fake = undefined;
});

/** A server that says one thing to everybody. */
async function serverThatSays(text: string): Promise<number> {
  const port = await freePort();
  const server = createServer((socket) => socket.end(text));
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  fake = server;
  return port;
}

test("running servers tell their versions", async () => {
  expect(await checkUrlServer("nats", inject("natsUrl"))).toMatchObject({ source: "url", version: expect.any(String) });
  expect(await checkUrlServer("valkey", inject("valkeyUrl"))).toMatchObject({ version: expect.stringMatching(/^\d/) });
  const askedVersion = async () => "PostgreSQL 18.4 on some machine";
  expect(await checkUrlServer("postgres", inject("postgresUrl"), askedVersion)).toMatchObject({ version: "18.4" });
});

test("a server that is too old is named with its version and the variable", async () => {
  const port = await serverThatSays('INFO {"server_id":"X","version":"2.9.10","jetstream":true}\r\n');
  await expect(checkUrlServer("nats", `nats://127.0.0.1:${port}`)).rejects.toMatchObject({
    code: "ServerTooOld",
    message: expect.stringMatching(/HUB_NATS_URL.*2\.9\.10/),
  });
});

test("a server that is away is named with the variable", async () => {
  const url = `redis://127.0.0.1:${await freePort()}`;
  await expect(checkUrlServer("valkey", url)).rejects.toMatchObject({
    code: "ServerUnreachable",
    message: expect.stringContaining("HUB_VALKEY_URL"),
  });
});

test("of several nats-servers one that answers is enough", async () => {
  const away = `nats://127.0.0.1:${await freePort()}`;
  const url = `${away},${inject("natsUrl")}`;
  expect(await checkUrlServer("nats", url)).toMatchObject({ url, version: expect.stringMatching(/^2/) });
  await expect(checkUrlServer("nats", `${away},${away}`)).rejects.toMatchObject({ code: "ServerUnreachable" });
});

test("a wrong password is no answer", async () => {
  const url = new URL(inject("valkeyUrl"));
  url.password = "wrong";
  await expect(checkUrlServer("valkey", url.href)).rejects.toMatchObject({ code: "ServerUnreachable" });
});

test("what is no URL is a bad setting", async () => {
  await expect(checkUrlServer("postgres", "localhost")).rejects.toMatchObject({
    code: "BadSetting",
    message: expect.stringContaining("HUB_POSTGRES_URL"),
  });
});
