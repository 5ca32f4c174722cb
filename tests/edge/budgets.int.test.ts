import { afterAll, beforeAll, describe, expect, inject, test, vi } from "vitest";
import { type BareSocket, bareSocket, newKey } from "../support/bareSocket.ts";
import { type ChatUnderTest, chatUnderTest, type StartedEdge } from "../support/chat.ts";
import { type CutLine, cutLine } from "../support/cutLine.ts";

/** Of one person, and of one address, at once: ten seconds' worth. */
const atOnce = 10;
const atOnceOfAddress = 20;
const settings = {
  HUB_TRUSTED_PROXIES: "127.0.0.1",
  HUB_REQUESTS_PER_SECOND: "1",
  HUB_ADDRESS_REQUESTS_PER_SECOND: "2",
};

let chat: ChatUnderTest;
let line: CutLine;
let lenient: StartedEdge;
let edge: StartedEdge;
let cutOff: StartedEdge;
beforeAll(async () => {
  const servers = { natsUrl: inject("natsUrl"), postgresUrl: inject("postgresUrl"), valkeyUrl: inject("valkeyUrl") };
  chat = await chatUnderTest(servers);
  await chat.startCommands();
  line = await cutLine(servers.valkeyUrl);
  lenient = await chat.startEdge();
  edge = await chat.startEdge(settings);
  cutOff = await chat.startEdge({ ...settings, HUB_VALKEY_URL: line.url });
});
afterAll(async () => {
  await chat?.close();
  await line?.cut();
});

let addresses = 0;
const ownAddress = () => ({ "x-forwarded-for": `203.0.113.${++addresses}` });
const rooms = { q: "rooms", d: {} };

/** Somebody with a socket from an address of their own. */
async function somebody(at: StartedEdge) {
  const person = await chat.person(lenient, "ada");
  const { token } = person.session;
  const socket = await bareSocket(at.url, token, ownAddress());
  return { ...person, token, socket };
}

/** What so many requests at once come to: the name of each error, in the order of the requests. */
async function outcomes(socket: BareSocket, requests: readonly object[]): Promise<readonly (string | undefined)[]> {
  const answers = await Promise.all(requests.map((request) => socket.ask(request)));
  return answers.map(({ err }) => (err as { name: string } | undefined)?.name);
}

const many = (count: number, request: object = rooms) => Array<object>(count).fill(request);
const ok = (count: number) => Array<undefined>(count).fill(undefined);

function get(at: StartedEdge, token: string, headers: Record<string, string>): Promise<Response> {
  return fetch(`${at.url}/v1/rooms`, { headers: { ...headers, authorization: `Bearer ${token}` } });
}

describe("one person", () => {
  test.each([-1, 0, 1])("may ask %i more than the budget says, and no more, over sockets and HTTP", async (more) => {
    const ada = await somebody(edge);
    const got = await outcomes(ada.socket, many(atOnce + more));
    expect(got).toEqual([...ok(Math.min(atOnce, atOnce + more)), ...(more > 0 ? ["TooManyAttempts"] : [])]);
    if (more <= 0) return;
    const overHttp = await Promise.all([1, 2, 3].map(() => get(edge, ada.token, ownAddress())));
    const refused = overHttp.find(({ status }) => status === 429);
    expect(Number(refused?.headers.get("retry-after"))).toBeGreaterThan(0);
    const body = (await refused?.json()) as { err: { name: string; afterMs: number } } | undefined;
    expect(body?.err.name).toBe("TooManyAttempts");
    expect(body?.err.afterMs).toBeGreaterThanOrEqual(250);
    // Whoever is not over theirs is served.
    const bob = await somebody(edge);
    expect(await outcomes(bob.socket, many(1))).toEqual(ok(1));
  });

  test("may do what is costly a tenth as often", async () => {
    const { socket } = await somebody(edge);
    const make = () => ({ m: "createRoom", d: { name: "Engine" }, k: newKey() });
    expect(await outcomes(socket, [make(), make(), rooms])).toEqual([undefined, "TooManyAttempts", undefined]);
  });

  test("gets it once from several edges, as soon as they have heard of each other", async () => {
    const ada = await somebody(edge);
    await outcomes(ada.socket, many(atOnce));
    let given = 0;
    await vi.waitFor(
      async () => {
        const { status } = await get(cutOff, ada.token, ownAddress());
        if (status === 200) given++;
        expect(status).toBe(429);
      },
      { timeout: 5_000, interval: 100 },
    );
    expect(given).toBeLessThan(atOnce - 2);
  });
});

test("one address may ask so often, whoever it says it is", async () => {
  const headers = ownAddress();
  const answers = await Promise.all(Array.from({ length: 60 }, () => get(edge, "nothing", headers)));
  const looked = answers.filter(({ status }) => status === 401).length;
  // Some come back meanwhile.
  expect([looked >= atOnceOfAddress, looked < 50]).toEqual([true, true]);
  expect(answers.filter(({ status }) => status === 429)).toHaveLength(60 - looked);
  const socket = await bareSocket(edge.url, undefined, headers);
  await Promise.all(Array.from({ length: atOnceOfAddress }, () => get(edge, "nothing", headers)));
  socket.send({ auth: { token: "nothing" } });
  expect(await socket.first("err")).toMatchObject({ err: { name: "TooManyAttempts" } });
  expect(await socket.closed).toBe(1013);
});

describe("while Valkey is away", () => {
  test("nobody signs in; requests have the same budgets at each edge by itself", async () => {
    const { socket, email } = await somebody(cutOff);
    await line.cut();
    try {
      const signIn = await fetch(`${cutOff.url}/v1/sign-in`, {
        method: "POST",
        headers: ownAddress(),
        body: JSON.stringify({ email, password: "correct horse battery" }),
      });
      expect([signIn.status, await signIn.json()]).toMatchObject([503, { err: { name: "Unavailable" } }]);
      const search = { q: "findPerson", d: { email } };
      const got = await outcomes(socket, [search, ...many(atOnce - 2)]);
      expect(got).toEqual(ok(atOnce - 1));
      expect(await outcomes(socket, many(3))).toContain("TooManyAttempts");
    } finally {
      await line.mend();
    }
  });
});
