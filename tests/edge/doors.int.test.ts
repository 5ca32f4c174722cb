import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { type ChatUnderTest, chatUnderTest, type StartedEdge } from "../support/chat.ts";

let chat: ChatUnderTest;
let edge: StartedEdge;
beforeAll(async () => {
  const servers = { natsUrl: inject("natsUrl"), postgresUrl: inject("postgresUrl"), valkeyUrl: inject("valkeyUrl") };
  chat = await chatUnderTest(servers);
  await chat.startCommands();
  edge = await chat.startEdge();
});
afterAll(() => chat?.close());

describe("the page", () => {
  test("may run its own script and show its own style, and nothing else", async () => {
    const response = await fetch(edge.url);
    const html = await response.text();
    const policy = response.headers.get("content-security-policy") ?? "";
    expect(policy).toMatch(/^default-src 'none'; /);
    expect(policy).not.toContain("unsafe");
    const inline = [...html.matchAll(/<(script|style)\b([^>]*)>(.*?)<\/\1>/gs)];
    expect(inline.map(([, element, attributes]) => `${element}${attributes}`)).toEqual(["style", "script"]);
    for (const [, , , text = ""] of inline) {
      expect(policy).toContain(`'sha256-${createHash("sha256").update(text).digest("base64")}'`);
    }
  });

  test("shows what people wrote as text alone", async () => {
    const html = await (await fetch(edge.url)).text();
    expect(html).not.toMatch(/innerHTML|outerHTML|insertAdjacentHTML|document\.write|\seval\(|new Function/);
    expect(html).not.toMatch(/<[a-z][^>]*\son\w+=/i);
    expect(html).not.toMatch(/(src|href)="https?:/);
  });
});

describe("the HTTP door", () => {
  test("tells that the process lives and whether all that it needs is there", async () => {
    expect(await (await fetch(`${edge.url}/health`)).json()).toEqual({ ok: true });
    const ready = await fetch(`${edge.url}/ready`);
    expect([ready.status, await ready.json()]).toEqual([
      200,
      { ok: { nats: true, postgres: true, writers: true, followers: true, lease: true, open: true } },
    ]);
  });

  test("answers HEAD as GET, without the body", async () => {
    const response = await fetch(edge.url, { method: "HEAD" });
    expect([response.status, await response.text()]).toEqual([200, ""]);
  });

  test("tells a repeated registration and sign-in the same", async () => {
    const post = async (path: string, key: string, body: object) => {
      const headers = { "idempotency-key": key };
      return (await fetch(`${edge.url}${path}`, { method: "POST", headers, body: JSON.stringify(body) })).json();
    };
    const person = { email: "twice@example.org", password: "correct horse" };
    const key = (last: string) => `01968a5e-7c1b-7abc-9def-01234567890${last}`;
    const registered = await post("/v1/register", key("a"), { ...person, name: "Twice" });
    expect(registered).toMatchObject({ ok: { user: expect.any(String) }, p: expect.stringMatching(/^p1\./) });
    expect(await post("/v1/register", key("a"), { ...person, name: "Twice" })).toMatchObject({
      ok: (registered as { ok: object }).ok,
    });
    const signedIn = (await post("/v1/sign-in", key("b"), person)) as { ok: object };
    expect(await post("/v1/sign-in", key("b"), person)).toMatchObject({ ok: signedIn.ok });
    // Who knows the key alone does not get the token.
    const guessed = await post("/v1/sign-in", key("b"), { ...person, password: "wrong horse" });
    expect(guessed).toMatchObject({ err: { name: "WrongCredentials" } });
  });
});

test("a port that is taken is an error that names the variable", async () => {
  await expect(chat.startEdge({ HUB_PORT: String(edge.port) })).rejects.toMatchObject({
    code: "PortTaken",
    message: expect.stringContaining("HUB_PORT"),
  });
});
