import { randomBytes } from "node:crypto";
import { type Command, type CommandReply, packCommands, unpackReplies } from "@connect-hub/domain/kernel";
import { afterEach, beforeEach, expect, inject, test, vi } from "vitest";
import { type CommandSender, commandSender } from "./commandSender.ts";
import { connectNats, type NatsLink } from "./connectNats.ts";
import { serveCommands } from "./serveCommands.ts";

let edge: NatsLink;
let writer: NatsLink;
let sender: CommandSender;
let subject: string;
const malformed: string[] = [];
const onMalformed = (what: string) => void malformed.push(what);

beforeEach(async () => {
  edge = await connectNats({ url: inject("natsUrl"), name: "edge", inboxPrefix: "_INBOX_edge" });
  writer = await connectNats({ url: inject("natsUrl"), name: "commands" });
  sender = commandSender(edge, { onMalformed, graceMs: 100 });
  subject = `t${randomBytes(6).toString("hex")}-cmd.rooms.0.w1`;
  malformed.length = 0;
});
afterEach(async () => {
  sender.close();
  await edge.close();
  await writer.close();
});

const command = (text: string, deadlineMs = 5_000): Command => ({
  key: { actor: "a", id: text.slice(0, 9) },
  kind: "postMessage",
  subject: "r",
  data: { text },
  deadlineAt: Date.now() + deadlineMs,
});
const echo = (received: Command): CommandReply => ({ ok: received.data.text ?? null, position: "p1.e30" });
const ok = (text: string) => ({ ok: text, position: "p1.e30" });

/** Counts the messages on a subject from now on. */
async function countMessages(onSubject: string): Promise<() => Promise<number>> {
  const subscription = writer.nc.subscribe(onSubject, { callback: () => undefined });
  await writer.nc.flush();
  return async () => {
    await edge.nc.flush();
    await writer.nc.flush();
    return subscription.getReceived();
  };
}

async function serve(onCommand: (command: Command, answer: (reply: CommandReply) => void) => void) {
  const server = serveCommands(writer, { subject, onCommand, onMalformed });
  await writer.nc.flush();
  return server;
}

test("commands of one turn go out as one message, their answers of one turn come back as one", async () => {
  await serve((received, answer) => answer(echo(received)));
  const outward = await countMessages(subject);
  const back = await countMessages("_INBOX_edge.>");
  const texts = Array.from({ length: 50 }, (_, index) => `${index}`);
  expect(await Promise.all(texts.map((text) => sender.send(subject, command(text))))).toEqual(texts.map(ok));
  expect(await outward()).toBe(1);
  expect(await back()).toBe(1);
});

test("a turn's commands that are too long for one message go out as several, in order", async () => {
  const order: string[] = [];
  await serve((received, answer) => {
    order.push(received.key.id);
    answer(ok("yes"));
  });
  const outward = await countMessages(subject);
  const texts = Array.from({ length: 30 }, (_, index) => `${String(index).padStart(9, "0")}${"x".repeat(50_000)}`);
  await Promise.all(texts.map((text) => sender.send(subject, command(text))));
  expect(order).toEqual(texts.map((text) => text.slice(0, 9)));
  expect(await outward()).toBe(3);
});

test("a command that comes again before it is answered is taken once; one that was answered is taken anew", async () => {
  const open: ((reply: CommandReply) => void)[] = [];
  await serve((_, answer) => void open.push(answer));
  const inbox = edge.newInbox();
  const answers: unknown[] = [];
  edge.nc.subscribe(inbox, { callback: (_, { data }) => void answers.push(...unpackReplies(data).items) });
  const send = async () => {
    for (const { bytes } of packCommands([[7, command("one")]])) edge.nc.publish(subject, bytes, { reply: inbox });
    await edge.nc.flush();
    await writer.nc.flush();
  };
  await send();
  await send();
  expect(open).toHaveLength(1);
  open[0]?.(ok("one"));
  await vi.waitFor(() => expect(answers).toEqual([[7, ok("one")]]));
  await send();
  expect(open).toHaveLength(2);
});

test("answers find their commands in whatever order they come", async () => {
  const open: [Command, (reply: CommandReply) => void][] = [];
  await serve((received, answer) => {
    open.push([received, answer]);
    if (open.length === 3) for (const [one, reply] of open.reverse()) reply(echo(one));
  });
  const replies = ["a", "b", "c"].map((text) => sender.send(subject, command(text)));
  expect(await Promise.all(replies)).toEqual(["a", "b", "c"].map(ok));
});

test("a refusal comes back as it is", async () => {
  await serve((_, answer) => answer({ refused: { code: "NotAllowed", detail: { why: "x" } } }));
  expect(await sender.send(subject, command("a"))).toEqual({ refused: { code: "NotAllowed", detail: { why: "x" } } });
});

test("where nobody takes commands the answer is `Unavailable`, at once", async () => {
  const startedAt = Date.now();
  const replies = await Promise.all([sender.send(subject, command("a")), sender.send(subject, command("b"))]);
  expect(replies).toEqual([{ refused: { code: "Unavailable" } }, { refused: { code: "Unavailable" } }]);
  expect(Date.now() - startedAt).toBeLessThan(2_000);
});

test("no answer until the deadline and its grace is `DeadlinePassed`; one in the grace still counts", async () => {
  await serve((received, answer) => {
    if (received.key.id === "late") setTimeout(() => answer(echo(received)), received.deadlineAt - Date.now() + 10);
  });
  const silent = sender.send(subject, command("silent", 200));
  const late = sender.send(subject, command("late", 200));
  expect(await late).toEqual(ok("late"));
  expect(await silent).toEqual({ refused: { code: "DeadlinePassed" } });
});

test("malformed messages are told and dropped, and the rest goes on", async () => {
  await serve((received, answer) => answer(echo(received)));
  edge.nc.publish(subject, "not json", { reply: "_INBOX_edge.x.1" });
  edge.nc.publish(subject, "[[1,{}]]", { reply: "_INBOX_edge.x.1" });
  edge.nc.publish(subject, "[]");
  expect(await sender.send(subject, command("a"))).toEqual(ok("a"));
  expect(malformed.map((what) => what.replace(subject, "S"))).toEqual([
    "1 malformed command(s) on S",
    "1 malformed command(s) on S",
    'a message on S that wants its answer on "", which is no inbox',
  ]);
});

test("a malformed answer is told and dropped", async () => {
  const junk = writer.nc.subscribe(subject, { callback: (_, message) => void message.respond('[[1,{"ok":1}],7]') });
  await writer.nc.flush();
  expect(await sender.send(subject, command("a", 100))).toEqual({ refused: { code: "DeadlinePassed" } });
  expect(malformed).toEqual(["2 malformed answer(s)"]);
  junk.unsubscribe();
});

test("a closed server takes nothing new but still answers", async () => {
  const taken: (() => void)[] = [];
  const server = await serve((received, answer) => void taken.push(() => answer(echo(received))));
  const open = sender.send(subject, command("open"));
  await vi.waitFor(() => expect(taken.length).toBe(1));
  await server.close();
  await server.close();
  taken[0]?.();
  expect(await open).toEqual(ok("open"));
  expect(await sender.send(subject, command("new"))).toEqual({ refused: { code: "Unavailable" } });
});

test("a lost connection answers what is open with `Unavailable`, and the link works again", async () => {
  const server = await serve((received, answer) => received.key.id === "answer" && answer(echo(received)));
  const open = sender.send(subject, command("open", 60_000));
  await edge.nc.flush();
  await edge.nc.reconnect();
  expect(await open).toEqual({ refused: { code: "Unavailable" } });
  expect(await edge.whenConnected(5_000)).toBe(true);
  expect(await sender.send(subject, command("answer"))).toEqual(ok("answer"));
  await server.close();
});

test("what was sent to a writer that lost its lane is answered `LaneMoved`", async () => {
  const taken: string[] = [];
  await serve((received) => void taken.push(received.key.id));
  const open = sender.send(subject, command("open"));
  await vi.waitFor(() => expect(taken).toEqual(["open"]));
  sender.abandon(`${subject}x`);
  sender.abandon(subject);
  expect(await open).toEqual({ refused: { code: "LaneMoved" } });
});

test("a writer in the process of its sender gets the same bytes past NATS, while its door is open", async () => {
  const near = commandSender(edge, { onMalformed, isLocal: () => true });
  const received: Command[] = [];
  const server = await serve((one, answer) => {
    received.push(one);
    answer(echo(one));
  });
  const messages = await countMessages(subject);
  const sent = { ...command("a"), data: { text: "a", none: undefined } } as unknown as Command;
  expect(await near.send(subject, sent)).toEqual(ok("a"));
  expect(await messages()).toBe(0);
  expect(received).toStrictEqual([{ ...sent, data: { text: "a" } }]);
  expect(await sender.send(subject, command("b"))).toEqual(ok("b"));
  expect(await messages()).toBe(1);
  await server.close();
  const toNobody = near.send(subject, command("c"));
  await vi.waitFor(async () => expect(await messages()).toBe(2));
  near.close();
  expect(await toNobody).toEqual({ refused: { code: "Unavailable" } });
  expect(received).toHaveLength(2);
});

test("a closed sender answers everything with `Unavailable`", async () => {
  await serve(() => undefined);
  const open = sender.send(subject, command("a"));
  sender.close();
  expect(await open).toEqual({ refused: { code: "Unavailable" } });
  expect(await sender.send(subject, command("b"))).toEqual({ refused: { code: "Unavailable" } });
});

test("what is about to be sent to a writer that lost its lane is not waited for either", async () => {
  await serve(() => undefined);
  const open = sender.send(subject, command("open"));
  sender.abandon(subject);
  expect(await open).toEqual({ refused: { code: "LaneMoved" } });
});
