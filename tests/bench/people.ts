import { readCommandsConfig, startCommands } from "@connect-hub/commands";
import { accountCommands, accountModel } from "@connect-hub/domain/account";
import { contentCommands, contentModel } from "@connect-hub/domain/content";
import { type Command, type CommandDefinition, subjects } from "@connect-hub/domain/kernel";
import { roomCommands, roomModel } from "@connect-hub/domain/room";
import type { LaneId } from "@connect-hub/domain/values";
import { type CommandSender, commandSender } from "@connect-hub/jetstream";
import type { FreshBox } from "../support/freshBox.ts";
import { commandOf, idOf } from "./senders.ts";

/** People with sessions, and rooms with them in. */
export interface People {
  readonly users: readonly string[];
  /** Of each one the token of a session. */
  readonly tokens: readonly string[];
  /** The rooms in the order of the wishes. */
  readonly rooms: readonly string[];
}

const atOnce = 200;
const patienceMs = 60_000;
const retried: ReadonlySet<string> = new Set(["Unavailable", "Busy", "DeadlinePassed"]);
/** As many as `createRoom` takes. */
const firstMembers = 100;
const email = (index: number) => `m${index}@example.org`;

/**
 * Makes `count` people, and for each of `rooms`, the numbers of its members, a room. Written by writers in this process, to which every
 * password is right at no cost, as thousands would take minutes; they are gone when it resolves. The projector has to run.
 */
export async function makePeople(box: FreshBox, count: number, rooms: readonly (readonly number[])[]): Promise<People> {
  const commands = await startCommands(readCommandsConfig(box.env), codeWithFreePasswords);
  const sender = commandSender(box.link, { onMalformed: () => undefined });
  try {
    const tell = async (lane: LaneId) => {
      const subject = subjects(box.prefix).commands(lane, (await box.nextBeat(lane)).writer);
      return (command: Command) => sendSurely(sender, subject, command);
    };
    const accounts = await tell("accounts.0");
    const inRooms = await tell("rooms.0");
    const users = Array.from({ length: count }, (_, index) => idOf("member", index));
    let after = "";
    const tokens = await inGroups(users, async (user, index) => {
      const [password, name] = ["a long enough password", `m${index}`];
      await accounts(commandOf("register", "anonymous", user, { email: email(index), password, name }));
      const session = idOf("session", index);
      const signedIn = await accounts(commandOf("signIn", "anonymous", session, { email: email(index), password }));
      after = signedIn.position;
      return (signedIn.ok as { readonly token: string }).token;
    });
    const ids = await inGroups(rooms, async (numbers, index) => {
      const [owner = "", ...others] = numbers.map((number) => users[number] ?? "");
      const room = idOf("room", index);
      const members = others.slice(0, firstMembers);
      await inRooms({ ...commandOf("createRoom", owner, room, { name: `room ${index}`, members }), after });
      await inGroups(others.slice(firstMembers), (user) =>
        inRooms({ ...commandOf("addMember", owner, room, { room, user }), after }),
      );
      return room;
    });
    return { users, tokens, rooms: ids };
  } finally {
    sender.close();
    await commands.close();
  }
}

/** Sends it again while it has to wait: for the projector above all, which shows who there is. */
async function sendSurely(sender: CommandSender, subject: string, command: Command) {
  for (const endsAt = Date.now() + patienceMs; ; ) {
    const reply = await sender.send(subject, { ...command, deadlineAt: Date.now() + 10_000 });
    if ("ok" in reply) return reply;
    const isRetried = retried.has(reply.refused.code) && Date.now() < endsAt;
    if (!isRetried) throw new Error(`${command.kind}: ${JSON.stringify(reply)}`);
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}

/** The members 0 … n − 1. */
export function firstOf(n: number): number[] {
  return Array.from({ length: n }, (_, index) => index);
}

async function inGroups<T, R>(items: readonly T[], work: (item: T, index: number) => Promise<R>): Promise<R[]> {
  const done: R[] = [];
  for (let first = 0; first < items.length; first += atOnce)
    done.push(...(await Promise.all(items.slice(first, first + atOnce).map((item, k) => work(item, first + k)))));
  return done;
}

function withFreePasswords(definition: CommandDefinition): CommandDefinition {
  const { prepare } = definition;
  if (prepare === undefined) return definition;
  const free = { hashPassword: async () => "none", verifyPassword: async () => true };
  return { ...definition, prepare: (command, facts, tools) => prepare(command, facts, { ...tools, ...free }) };
}

const codeWithFreePasswords = {
  accounts: {
    model: accountModel,
    commands: Object.fromEntries(
      Object.entries<CommandDefinition>(accountCommands).map(([kind, one]) => [kind, withFreePasswords(one)]),
    ),
  },
  rooms: { model: roomModel, commands: roomCommands },
  content: { model: contentModel, commands: contentCommands },
};
