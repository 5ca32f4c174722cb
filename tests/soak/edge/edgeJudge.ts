import type { Logged, LoggedEvent } from "./boxLog.ts";
import type { Line } from "./clientJournal.ts";

/** The columns of the table. */
export const edgeColumns = ["lost", "doubled", "misordered"] as const;

/** What was found since the last verdict, in words. */
export interface EdgeFindings {
  /** Acknowledged and not on the log; or on the log, and a member was not told. */
  readonly lost: readonly string[];
  /** On the log twice, delivered twice, or nobody sent it; or delivered to who was not in the room. */
  readonly doubled: readonly string[];
  /** Delivered after a hole that nobody told of, or not as it stands on the log; answered with another place than that on the log. */
  readonly misordered: readonly string[];
  /** Refused, though there is no reason for it. */
  readonly refused: readonly string[];
}

type Event = Extract<Line, { readonly t: "event" }>;

interface Command {
  /** The highest number in the room that its author had been told when it was first sent. */
  readonly after: number;
  s?: number;
}

/** Refusals that a guest gets who is put out, or somebody who speaks of what is deleted. */
const rightful: ReadonlySet<string> = new Set([
  "RoomNotFound",
  "NotInRoom",
  "AlreadyAMember",
  "MessageNotFound",
  "MessageIsDeleted",
  "TooManyEdits",
]);

/**
 * Holds what clients wrote down themselves against the log. Pure: lines and commands come in, each in their order, and all that is on the log
 * before a line that speaks of it.
 */
export class EdgeJudge {
  /** The user of each client. */
  readonly #users: ReadonlyMap<string, string>;
  readonly #found = {
    lost: [] as string[],
    doubled: [] as string[],
    misordered: [] as string[],
    refused: [] as string[],
  };
  /** By author and key. */
  readonly #commands = new Map<string, Command>();
  readonly #logged = new Map<string, Logged>();
  readonly #unsent = new Set<string>();
  readonly #rooms = new Map<string, LoggedRoom>();
  /** By client and room: the last number that was delivered, as long as it goes on from there. */
  readonly #delivered = new Map<string, number>();
  /** By client and room: the highest number that it was told as an answer. */
  readonly #answered = new Map<string, number>();

  /** `base`: what is on the log before any client begins. */
  constructor(users: ReadonlyMap<string, string>, base: readonly Logged[]) {
    this.#users = users;
    for (const one of base) this.log(one);
    this.#unsent.clear();
  }

  /** The next command on the log. */
  log(logged: Logged): void {
    const id = `${logged.actor} ${logged.key}`;
    if (this.#logged.has(id)) this.#found.doubled.push(`command ${logged.key} is on the log twice`);
    this.#logged.set(id, logged);
    if ([...this.#users.values()].includes(logged.actor)) this.#unsent.add(id);
    for (const event of logged.events) {
      const room = this.#rooms.get(event.room) ?? new LoggedRoom();
      this.#rooms.set(event.room, room);
      room.add(event, logged.key);
    }
  }

  /** The next line of a client's journal. */
  told(line: Line): void {
    if (line.t === "sent") this.#sent(line);
    else if (line.t === "done") this.#done(line);
    else if (line.t === "refused") this.#refused(line);
    else if (line.t === "event") this.#event(line);
    else if (line.t !== "met") this.#delivered.delete(`${line.who} ${line.room}`);
  }

  #sent({ who, key, data }: Extract<Line, { t: "sent" }>): void {
    const id = `${this.#users.get(who)} ${key}`;
    this.#unsent.delete(id);
    const room = String(data.room);
    const after = this.#answered.get(`${who} ${room}`) ?? 0;
    if (!this.#commands.has(id)) this.#commands.set(id, { after });
  }

  #done({ who, key, room, s }: Extract<Line, { t: "done" }>): void {
    const id = `${this.#users.get(who)} ${key}`;
    const command = this.#commands.get(id);
    const logged = this.#logged.get(id);
    const what = `${who}'s ${key} in ${room}`;
    if (command?.s !== undefined && command.s !== s)
      this.#found.doubled.push(`${what} was answered ${command.s}, and ${s} when it was sent again`);
    if (logged === undefined) this.#found.lost.push(`${what} was answered ${s}, and is not on the log`);
    else if (logged.result.s !== s || logged.result.room !== room)
      this.#found.misordered.push(`${what} was answered ${s}, and the log says ${logged.result.s}`);
    if (command !== undefined && s <= command.after)
      this.#found.misordered.push(`${what} was answered ${s}, and its author had been told ${command.after} before`);
    if (command !== undefined) command.s = s;
    this.#answered.set(`${who} ${room}`, Math.max(s, this.#answered.get(`${who} ${room}`) ?? 0));
  }

  #refused({ who, key, name }: Extract<Line, { t: "refused" }>): void {
    const id = `${this.#users.get(who)} ${key}`;
    if (this.#logged.has(id)) this.#found.doubled.push(`${who}'s ${key} was refused (${name}), and is on the log`);
    if (!rightful.has(name)) this.#found.refused.push(`${who}'s ${key} was refused: ${name}`);
  }

  #event(event: Event): void {
    const { who, room, s } = event;
    const at = `${who} ${room}`;
    const last = this.#delivered.get(at);
    const where = `${room} ${s} to ${who}`;
    if (last !== undefined && s <= last) this.#found.doubled.push(`${where} comes again, after ${last}`);
    else if (last !== undefined && s !== last + 1)
      this.#found.misordered.push(`${where} comes after ${last}, without a word`);
    if (last === undefined || s > last) this.#delivered.set(at, s);
    const logged = this.#rooms.get(room)?.at(s);
    if (logged === undefined) this.#found.doubled.push(`${where}: nobody sent it`);
    else if (!isSame(event, logged))
      this.#found.misordered.push(
        `${where} is ${event.kind} ${event.key ?? ""}, on the log it is ${logged.event.kind} ${logged.key}`,
      );
    if (this.#rooms.get(room)?.mayRead(this.#users.get(who) ?? "", s) === false)
      this.#found.doubled.push(`${where} comes to somebody who was not in the room then`);
  }

  /** The last number of a room on the log. */
  headOf(room: string): number {
    return this.#rooms.get(room)?.head ?? 0;
  }

  /** What an event of a room is called. */
  kindAt(room: string, s: number): string | undefined {
    return this.#rooms.get(room)?.at(s)?.event.kind;
  }

  /** Which members were not delivered everything yet, in words. */
  lagging(): readonly string[] {
    return [...this.#rooms].flatMap(([id, room]) =>
      [...this.#users].flatMap(([who, user]) => {
        const last = this.#delivered.get(`${who} ${id}`);
        if (!room.has(user)) return last === undefined ? [] : [`${who} was not told to be out of ${id}`];
        return last === room.head ? [] : [`${who} has ${id} up to ${last ?? "nothing"}, and it ends at ${room.head}`];
      }),
    );
  }

  /** Everything that was found since the last verdict. When all is quiet: who still lags has lost something. */
  verdict(): EdgeFindings {
    this.#found.lost.push(...this.lagging());
    this.#found.doubled.push(...[...this.#unsent].map((id) => `${id} is on the log, and nobody sent it`));
    this.#unsent.clear();
    const { lost, doubled, misordered, refused } = this.#found;
    return {
      lost: lost.splice(0),
      doubled: doubled.splice(0),
      misordered: misordered.splice(0),
      refused: refused.splice(0),
    };
  }
}

/** A room as the log has it. */
class LoggedRoom {
  head = 0;
  readonly #events: { readonly event: LoggedEvent; readonly key: string }[] = [];
  /** For each user from which number to which one they were in it; the last one may be open. */
  readonly #stays = new Map<string, { readonly from: number; to: number }[]>();

  add(event: LoggedEvent, key: string): void {
    this.head = event.s;
    this.#events[event.s] = { event, key };
    for (const user of event.came) {
      const stays = this.#stays.get(user) ?? [];
      this.#stays.set(user, stays);
      stays.push({ from: event.s, to: Number.POSITIVE_INFINITY });
    }
    for (const user of event.went) {
      const stay = this.#stays.get(user)?.at(-1);
      if (stay !== undefined) stay.to = event.s;
    }
  }

  at(s: number) {
    return this.#events[s];
  }

  has(user: string): boolean {
    return this.#stays.get(user)?.at(-1)?.to === Number.POSITIVE_INFINITY;
  }

  mayRead(user: string, s: number): boolean {
    return this.#stays.get(user)?.some(({ from, to }) => from <= s && s <= to) ?? false;
  }
}

/** The text of a message that was deleted may be blank, and events about messages from before somebody came in are hidden. */
function isSame({ kind, by, key }: Event, logged: { readonly event: LoggedEvent; readonly key: string }): boolean {
  if (kind === "hidden") return logged.event.kind === "messageEdited" || logged.event.kind === "messageDeleted";
  return kind === logged.event.kind && by === logged.event.by && (key === undefined || key === logged.key);
}
