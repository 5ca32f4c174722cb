import { spawn } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectEvents, type Events, LogUnavailable, type ServiceEvent } from "@connect-hub/events";
import { connectNats } from "@connect-hub/jetstream";
import { appArgs, checkout, openDataFolder, readServices } from "@connect-hub/runtime";
import { type Client, connect, register, signIn } from "@connect-hub/sdk";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { WebSocket } from "ws";
import { exitCodes } from "../../apps/hub/exitCodes.ts";
import { runHub } from "../support/runHub.ts";

const within = { timeout: 20_000, interval: 20 };
const connected: Events[] = [];
let dataDir: string;
let anna: Client;

beforeAll(async () => {
  dataDir = mkdtempSync(join(tmpdir(), "connect-hub-service-"));
  chmodSync(dataDir, 0o711);
  expect(await hubProcess("up")).toBe(0);
  const { address: url } = JSON.parse((await runHub(dataDir, "status", "--json")).said);
  const person = { url, email: "anna@example.org", password: "a long enough password" };
  await register({ ...person, name: "Anna" });
  const { token, position } = await signIn(person);
  anna = connect({ url, token, position, WebSocket });
});

afterAll(async () => {
  anna?.close();
  await Promise.all(connected.map((events) => events.close()));
  await hubProcess("down");
  rmSync(dataDir, { recursive: true, force: true });
});

function hubProcess(...args: readonly string[]): Promise<number | null> {
  const child = spawn(process.execPath, [...appArgs(["hub"]), "--data", dataDir, ...args], {
    cwd: checkout,
    env: { ...process.env, HUB_PORT: "0", HUB_NATS_PORT: "0", HUB_POSTGRES_PORT: "0", HUB_VALKEY_PORT: "0" },
    stdio: "ignore",
  });
  return new Promise((resolve) => child.once("close", resolve));
}

interface Added {
  readonly url: string;
  readonly user: string;
  readonly password: string;
}

async function added(...args: string[]): Promise<Added> {
  const { code, said, complaints } = await runHub(dataDir, "service", "add", ...args, "--json");
  expect(code, complaints).toBe(exitCodes.done);
  return JSON.parse(said);
}

/** Subscribes from the start, and keeps what comes. */
async function listen({ url, user, password }: Added, types?: readonly string[]) {
  const events = await connectEvents({ url, user, password });
  connected.push(events);
  const got: ServiceEvent[] = [];
  const handler = (some: readonly ServiceEvent[]) => void got.push(...some);
  const subscription = await events.subscribe({ durable: "d", from: "start", handler, ...(types && { types }) });
  return { events, got, subscription };
}

test("services come and go on a running box, and each sees what it may", async () => {
  const { room } = await anna.command("createRoom", { name: "Garden", members: [] });
  await anna.command("postMessage", { room, text: "The roses are out." });
  const before = JSON.parse((await runHub(dataDir, "status", "--json")).said);

  // The door is started for the first one, and nothing else is started anew.
  const whole = await listen(await added("whole", "--contexts", "rooms"));
  await vi.waitFor(() => expect(whole.got.map(({ type }) => type)).toContain("MessagePosted.v1"), within);
  expect(whole.got.at(-1)).toMatchObject({
    subject: { kind: "room", id: room },
    data: { body: null },
    sealed: ["body"],
  });
  await expect(
    whole.events.subscribe({ durable: "x", from: "now", types: ["SessionStarted"], handler() {} }),
  ).rejects.toMatchObject({ code: "NotAllowed", message: expect.stringContaining("hub -- service add whole") });

  const few = await listen(await added("few", "--types", "MessagePosted", "--rooms", room));
  await vi.waitFor(
    () => expect(few.got.map(({ data }) => data)).toEqual([{ body: { text: "The roses are out." } }]),
    within,
  );
  const after = JSON.parse((await runHub(dataDir, "status", "--json")).said);
  expect(after.processes.map(({ name }: { name: string }) => name)).toContain("door");
  expect(after.servers).toEqual(before.servers);
  expect(after.processes).toEqual(expect.arrayContaining(before.processes));
  expect(anna.state).toBe("online");

  // More rights by the same command; the password stays, and is not said again.
  const again = await runHub(dataDir, "service", "add", "whole", "--contexts", "rooms,accounts");
  expect(again.said).toContain("all of accounts, rooms");
  expect(again.said).toContain("password  as before, in ");
  const people = await whole.events.subscribe({
    durable: "people",
    from: "start",
    types: ["AccountRegistered"],
    handler: (some) => void whole.got.push(...some),
  });
  await vi.waitFor(() => expect(whole.got.map(({ type }) => type)).toContain("AccountRegistered.v1"), within);
  await people.close();

  const list = JSON.parse((await runHub(dataDir, "service", "list", "--json")).said);
  expect(list).toMatchObject([
    { name: "few", contexts: null, types: ["MessagePosted"], rooms: [room] },
    { name: "whole", contexts: ["accounts", "rooms"] },
  ]);
  expect((await runHub(dataDir, "service", "list")).said).toMatch(/few .*MessagePosted of 1 room.*svc-few/);

  expect((await runHub(dataDir, "paths")).said).toContain("KV_service_whole");
  const gone = await added("gone", "--types", "RoomRenamed");
  expect((await runHub(dataDir, "service", "remove", "gone")).said).toContain("gone is cut off");
  const refused = connectNats({
    url: gone.url,
    user: gone.user,
    password: gone.password,
    name: "x",
    deadlineMs: 1_000,
  });
  await expect(refused).rejects.toMatchObject({ code: "LogUnavailable", message: expect.stringContaining("refused") });
  expect((await added("gone", "--types", "RoomRenamed")).password).not.toBe(gone.password);
});

test("a service that may see less than before gets no more of it, by what it had begun neither", async () => {
  const login = await added("less", "--contexts", "accounts,rooms");
  const { events, subscription, got } = await listen(login, ["AccountRegistered"]);
  await vi.waitFor(() => expect(got).not.toEqual([]), within);
  await added("less", "--contexts", "rooms");
  const { address: url } = JSON.parse((await runHub(dataDir, "status", "--json")).said);
  await register({ url, email: "berta@example.org", password: "a long enough password", name: "Berta" });
  await expect(subscription.ended).resolves.toMatchObject({ code: "NotAllowed" });
  expect(got).toHaveLength(1);
  const again = events.subscribe({ durable: "d", from: "start", types: ["AccountRegistered"], handler() {} });
  await expect(again).rejects.toMatchObject({ code: "NotAllowed" });
  expect((await runHub(dataDir, "service", "remove", "less")).code).toBe(exitCodes.done);
});

test("the example of docs/services.md runs as it stands there", async () => {
  const page = readFileSync(join(checkout, "docs/services.md"), "utf8");
  const code = /<!-- example -->\s*```js\n([\s\S]*?)```/.exec(page)?.[1] ?? "";
  const { url, user, password } = await added("greeter", "--types", "MemberAdded,MessagePosted");
  const child = spawn(process.execPath, ["--import", "tsx", "--input-type=module", "--eval", code], {
    cwd: join(checkout, "tests"),
    env: { ...process.env, NATS_URL: url, NATS_USER: user, NATS_PASSWORD: password },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let said = "";
  child.stdout.on("data", (bytes: Buffer) => {
    said += bytes.toString();
  });
  const ended = new Promise((resolve) => child.once("close", resolve));
  await vi.waitFor(() => expect(said).toMatch(/#2: The roses are out\./), within);
  child.kill("SIGTERM");
  expect(await ended).toBe(0);
});

test("services that are added at the same moment are all let in", async () => {
  const names = ["one", "two", "three", "four"];
  const codes = await Promise.all(names.map((name) => hubProcess("service", "add", name, "--types", "MessagePosted")));
  expect(codes).toEqual([0, 0, 0, 0]);
  const users = readServices(openDataFolder(dataDir)).map(({ name }) => name);
  expect(users).toEqual(expect.arrayContaining(names));
});

test("what is asked wrongly is said, with what is allowed", async () => {
  const wrong: [string[], RegExp][] = [
    [["add", "A"], /up to 32 of a-z/],
    [["add", "a"], /--contexts accounts,rooms,content/],
    [["add", "a", "--contexts", "rooms", "--types", "MessagePosted"], /--types and --rooms/],
    [["add", "a", "--contexts", "kitchen"], /only accounts, rooms, content/],
    [["add", "a", "--types", "MessagePost"], /only .*MessagePosted/],
    [["add", "a", "--rooms", "garden"], /lower-case UUID/],
    [["add", "a", "--types", "FileClaimed", "--rooms", "01234567-0123-0123-0123-0123456789ab"], /only events of rooms/],
  ];
  for (const [args, message] of wrong) {
    const { code, complaints } = await runHub(dataDir, "service", ...args);
    expect([code, complaints], args.join(" ")).toEqual([exitCodes.badSettingOrUsage, expect.stringMatching(message)]);
  }
  const { url, user } = await added("right", "--types", "MessagePosted");
  await expect(connectEvents({ url, user, password: "wrong" })).rejects.toBeInstanceOf(LogUnavailable);
  const strange = await runHub(dataDir, "service", "remove", "../../x");
  expect([strange.code, strange.complaints]).toEqual([
    exitCodes.badSettingOrUsage,
    expect.stringMatching(/is no name of a service/),
  ]);
  const unknown = await runHub(dataDir, "service", "remove", "nobody");
  expect([unknown.code, unknown.complaints]).toEqual([exitCodes.failed, expect.stringContaining("service list")]);
});
