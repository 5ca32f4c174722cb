import type { CommandInput, JsonObject } from "@connect-hub/domain/values";
import type { Cursor, RoomEvent } from "@connect-hub/protocol";
import { type Client, type ClientListener, connect, register, type Session, signIn } from "@connect-hub/sdk";
import { WebSocket } from "ws";
import type { Acknowledged, Journal } from "./journal.ts";
import { newKey } from "./newKey.ts";
import { waitFor, withDeadline } from "./waitFor.ts";

/** A character of the play, with an account and a live connection. */
export interface Person {
  readonly name: string;
  readonly session: Session;
  readonly client: Client;
  readonly told: Told;
  /** Sends a command and returns when its answer is in the journal. Throws when none comes within a minute. */
  say<M extends Acknowledged["method"]>(method: M, data: CommandInput<M>): Promise<Acknowledged>;
}

/** Everything that one connection was told, room by room, in the order in which it came. */
export interface Told {
  readonly rooms: ReadonlyMap<string, readonly RoomEvent[]>;
  /** How often it was told to forget a room and begin anew. */
  readonly resets: number;
}

const answerMs = 60_000;
const onlineMs = 30_000;
const sideBySide = 4;
/** More than any room has when somebody comes into it, so that every record begins at its first event. */
const history = 200;

/** Registers a person for each name and connects all of them. */
export async function gather(names: readonly string[], url: string, journal: Journal): Promise<readonly Person[]> {
  const people: Person[] = [];
  for (let from = 0; from < names.length; from += sideBySide) {
    const some = names.slice(from, from + sideBySide);
    people.push(...(await Promise.all(some.map((name) => enter(name, url, journal)))));
  }
  return people;
}

async function enter(name: string, url: string, journal: Journal): Promise<Person> {
  const email = `${name.toLowerCase().replaceAll(" ", ".")}@arden.example`;
  const password = `${name}'s secret`;
  await register({ url, email, password, name });
  const session = await signIn({ url, email, password });
  const { client, told } = openRecorded(url, session, {});
  await waitFor(`${name} is online`, () => client.state === "online", onlineMs);
  return { name, session, client, told, say: (method, data) => say(method, data, { client, session, journal, name }) };
}

/** A connection that writes down what it is told. `cursors` say how far it claims to have been told before. */
export function openRecorded(url: string, session: Session, cursors: Readonly<Record<string, Cursor>>) {
  const rooms = new Map<string, RoomEvent[]>();
  const told = { rooms, resets: 0 };
  const listener: ClientListener = {
    onEvents(room, events) {
      const record = rooms.get(room);
      if (record === undefined) rooms.set(room, [...events]);
      else record.push(...events);
    },
    onReset(room) {
      rooms.delete(room);
      told.resets += 1;
    },
  };
  const { token, position } = session;
  const client = connect({ url, token, position, WebSocket, history, cursors, ...listener });
  return { client, told: told as Told };
}

interface Speaker {
  readonly client: Client;
  readonly session: Session;
  readonly journal: Journal;
  readonly name: string;
}

async function say<M extends Acknowledged["method"]>(
  method: M,
  data: CommandInput<M>,
  { client, session, journal, name }: Speaker,
): Promise<Acknowledged> {
  const key = newKey();
  const answer = await withDeadline(`${name}'s ${method} is answered`, answerMs, client.command(method, data, { key }));
  const { room, s } = answer;
  const entry: Acknowledged = { key, by: session.user, method, data: data as JsonObject, room, s };
  await journal.add(entry);
  return entry;
}
