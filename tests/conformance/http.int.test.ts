import { readFileSync } from "node:fs";
import { type CommandName, commandInputs, type JsonObject, limits } from "@connect-hub/domain/values";
import { isSocketCommand, type QueryName, queryInputs, type WireError } from "@connect-hub/protocol";
import { commandAnswers, queryAnswers } from "@connect-hub/protocol/answers";
import { afterAll, beforeAll, expect, inject, test, vi } from "vitest";
import { type BareSocket, bareSocket, newKey } from "../support/bareSocket.ts";
import { type ChatUnderTest, chatUnderTest, type Person, type StartedEdge } from "../support/chat.ts";
import { upload } from "../support/files.ts";

// Commands and queries for those who have no socket, and the document that describes all that is answered over HTTP.

const documentText = readFileSync(new URL("../../docs/openapi.json", import.meta.url), "utf8");
const { paths } = JSON.parse(documentText) as { readonly paths: Readonly<Record<string, JsonObject>> };

interface Answered {
  readonly status: number;
  readonly ok?: JsonObject;
  readonly p?: string;
  readonly err?: WireError;
}

let chat: ChatUnderTest;
let edge: StartedEdge;
let ada: Person;
let bob: Person;
let a: BareSocket;

beforeAll(async () => {
  const servers = { natsUrl: inject("natsUrl"), postgresUrl: inject("postgresUrl"), valkeyUrl: inject("valkeyUrl") };
  chat = await chatUnderTest(servers);
  await chat.startCommands();
  await chat.startProjector();
  edge = await chat.startEdge();
  [ada, bob] = [await chat.person(edge, "ada"), await chat.person(edge, "bob")];
  a = await bareSocket(edge.url, ada.session.token);
});
afterAll(() => chat?.close());

interface Sent {
  readonly method?: string;
  readonly body?: object | string;
  readonly key?: string;
  readonly token?: string | undefined;
}

async function send(path: string, { method = "POST", body, key, token }: Sent): Promise<Answered> {
  const answer = await fetch(`${edge.url}${path}`, {
    method,
    headers: {
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...(key !== undefined && { "idempotency-key": key }),
    },
    ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
  });
  const read = (await answer.json().catch(() => ({}))) as Omit<Answered, "status">;
  return { status: answer.status, ...read };
}

const as = (person: Person) => ({ token: person.session.token });
const played = new Set<string>();

/** Over HTTP; the answer must be what its schema says and no more, and the socket must say the same to the same key. */
async function command(name: CommandName, d: object, person = ada): Promise<JsonObject> {
  const key = newKey();
  const answer = await send(`/v1/commands/${name}`, { body: d, key, ...as(person) });
  expect(answer).toEqual({ status: 200, ok: expect.anything(), p: expect.stringMatching(/^p1\./) });
  expect(commandAnswers[name].parse(answer.ok)).toEqual(answer.ok);
  if (person === ada) expect(await a.ask({ m: name, d, k: key })).toMatchObject({ ok: answer.ok });
  played.add(name);
  return answer.ok ?? {};
}

async function query(name: QueryName, d: object, p: unknown): Promise<JsonObject> {
  const answer = await send(`/v1/queries/${name}?position=${p}`, { body: d, ...as(ada) });
  expect(answer).toEqual({ status: 200, ok: expect.anything(), p: expect.stringMatching(/^p1\./) });
  expect(queryAnswers[name].parse(answer.ok)).toEqual(answer.ok);
  expect(await a.ask({ q: name, d, a: p })).toMatchObject({ ok: answer.ok });
  played.add(name);
  return answer.ok ?? {};
}

test("every command and every query is had without a socket, and is the same over both", async () => {
  const { room } = await command("createRoom", { name: "Engine" });
  const d = { room };
  const other = await command("openDialog", { with: bob.user });
  await command("renameRoom", { ...d, name: "Engine room" });
  await command("addMember", { ...d, user: bob.user });
  const { s: message } = await command("postMessage", { ...d, text: "Hello." });
  await command("editMessage", { ...d, message, text: "Hello!" });
  const { ok: file } = await upload({ url: edge.url, ...as(ada) }, String(room), Buffer.from("bytes"));
  await command("postMessage", { ...d, files: [file.file] });
  await command("forwardFile", { file: file.file, room: other.room });

  const { p } = await send("/v1/queries/rooms", as(ada));
  await query("rooms", {}, p);
  await query("history", { ...d, limit: 3 }, p);
  await query("asOf", { ...d, s: message }, p);
  await query("members", d, p);
  await query("people", { ids: [bob.user] }, p);
  await query("findPerson", { email: bob.email }, p);

  await command("deleteMessage", { ...d, message });
  await command("removeMember", { ...d, user: bob.user });
  await command("addMember", { ...d, user: bob.user });
  await command("leaveRoom", d, bob);
  const eve = await chat.person(edge, "eve");
  await command("signOut", {}, eve);
  expect((await send("/v1/queries/rooms", as(eve))).err?.name).toBe("SessionEnded");
  await command("closeAccount", { password: bob.password }, bob);
  expect((await send("/v1/queries/rooms", as(bob))).err?.name).toBe("AccountClosed");

  const all = [...Object.keys(commandInputs).filter(isSocketCommand), ...Object.keys(queryInputs)];
  expect(all.filter((name) => !played.has(name))).toEqual([]);
});

test("what is refused on a socket is refused in the same words", async () => {
  const room = newKey();
  const { responses = {} } = (paths["/v1/commands/postMessage"]?.post ?? {}) as { readonly responses?: object };
  const statuses = Object.keys(responses);
  const refusals: [kind: "m" | "q", name: string, d: object][] = [
    ["m", "postMessage", { room: "lobby", text: "" }],
    ["m", "postMessage", { room, text: "x", more: 1 }],
    ["m", "postMessage", { room, text: "x" }],
    ["m", "paintRoom", {}],
    ["m", "signIn", { email: ada.email, password: ada.password }],
    ["m", "toString", {}],
    ["q", "history", { room, limit: limits.historyPage + 1 }],
    ["q", "history", { room }],
    ["q", "secrets", {}],
  ];
  for (const [kind, name, d] of refusals) {
    const path = kind === "m" ? "commands" : "queries";
    const { err, status } = await send(`/v1/${path}/${name}`, { body: d, ...as(ada) });
    const told = await a.ask(kind === "m" ? { m: name, d, k: newKey() } : { q: name, d });
    expect([name, err]).toEqual([name, told.err]);
    expect(statuses).toContain(String(status));
  }
});

test("what only a request can get wrong is told", async () => {
  const post = (sent: Sent, path = "/v1/commands/createRoom") => send(path, { ...as(ada), ...sent });
  const nameOf = async (answer: Promise<Answered>) => (await answer).err?.name;
  const body = { name: "Engine" };
  expect(await nameOf(post({ body, token: undefined }))).toBe("NotAuthenticated");
  expect(await nameOf(post({ body: "{" }))).toBe("BadJson");
  expect(await nameOf(post({ body: "[]" }))).toBe("BadInput");
  expect(await nameOf(post({ body, key: "mine" }))).toBe("BadInput");
  expect(await nameOf(post({ body }, "/v1/commands/createRoom?position=p1.x"))).toBe("BadPosition");
  const key = newKey();
  expect((await post({ body, key })).status).toBe(200);
  expect((await post({ body: { name: "Other" }, key })).status).toBe(409);
  const padded = (bytes: number) => JSON.stringify(body).padEnd(bytes);
  for (const bytes of [limits.bodyBytes - 1, limits.bodyBytes])
    expect((await post({ body: padded(bytes) })).status).toBe(200);
  expect(await nameOf(post({ body: padded(limits.bodyBytes + 1) }))).toBe("FrameTooLarge");
});

test("a session may have as many requests unanswered as a socket", async () => {
  const asking = (path: string) => send(path, as(ada));
  const { p } = await asking("/v1/queries/rooms");
  const names = await vi.waitFor(
    async () => {
      const answers = await Promise.all(
        Array.from({ length: 2 * limits.inFlight }, () => asking(`/v1/queries/rooms?position=${p}`)),
      );
      const told = new Set(answers.map(({ err, status }) => err?.name ?? status));
      expect(told.size).toBe(2);
      return told;
    },
    { timeout: 15_000 },
  );
  expect(names).toEqual(new Set([200, "TooManyInFlight"]));
  expect((await asking("/v1/queries/rooms")).status).toBe(200);
});

test("the document is served as it stands in docs, and holds what is answered and nothing else", async () => {
  const served = await fetch(`${edge.url}/v1/openapi.json`);
  expect(served.headers.get("content-type")).toBe("application/json");
  expect(await served.json()).toEqual(JSON.parse(documentText));
  for (const [path, item] of Object.entries(paths)) {
    for (const method of ["GET", "POST", "PUT", "PATCH", "DELETE"]) {
      const { err } = await send(path.replace("{id}", newKey()), { method, ...(method !== "GET" && { body: {} }) });
      const isThere = method.toLowerCase() in item;
      expect([method, path, err?.name === "NotFound"]).toEqual([method, path, !isThere]);
    }
  }
});
