import { pause } from "@connect-hub/domain/kernel";
import type { JsonObject } from "@connect-hub/domain/values";
import type { Cursor, RoomEvent } from "@connect-hub/protocol";
import { connect, HubError } from "@connect-hub/sdk";
import { newKey } from "../../demo/newKey.ts";
import type { Random } from "../../faults/random.ts";
import { badSocket } from "./badSocket.ts";
import { type ClientJournal, type Line, type Method, readClientJournal } from "./clientJournal.ts";

/** How fast and how much is written. */
export interface Pace {
  readonly pauseMs: number;
  /** Posts of so many characters, many at once, into the room `loud`; default: short ones into all others. */
  readonly loudLength?: number;
}

/** Where all of them write. */
export interface WriterPlace {
  readonly url: string;
  readonly rooms: readonly string[];
  /** The room out of which a guest is put, and let in again. */
  readonly door: string;
  readonly loud: string;
}

export interface WriterOptions extends WriterPlace {
  readonly who: string;
  readonly token: string;
  readonly position: string | undefined;
  readonly guest?: string;
  /** Goes on where this journal ends: with its cursors, and with its commands that have no answer. */
  readonly journalFile: string;
  readonly journal: ClientJournal;
  readonly random: Random;
  isUnruly(): boolean;
  onBug(error: unknown): void;
}

/** A client that writes without end and has everything in its journal. */
export interface Writer {
  go(pace: Pace): void;
  /** Resolves when everything sent was answered; nothing more is sent until `go`. */
  rest(): Promise<void>;
}

type Sent = Extract<Line, { readonly t: "sent" }>;
type Told = Extract<Line, { readonly t: "event" }>;

/** So that whoever begins a room anew gets nearly all of it. */
const history = 1_000;
const together = { burst: 4, loud: 12 } as const;
/** Each so many-th turn is something else than one message. */
const turns = { burst: 5, again: 7, edit: 9, door: 11, remove: 13 } as const;

/** Opens one; it rests until `go`. */
export function openWriter(options: WriterOptions): Writer {
  const { who, url, token, position, rooms, door, loud, guest, journal, random } = options;
  const before = pastOf(options);
  /** What was answered, to be changed or sent once more. */
  const mine: { sent: Sent; s: number }[] = [];
  let turn = 0;
  let pace: Pace | undefined;
  let resume: () => void = () => undefined;
  let isOnline: () => void = () => undefined;
  const whenOnline = new Promise<void>((resolve) => {
    isOnline = resolve;
  });
  let isThere = true;
  /** By how much this clock is ahead of the server's: keys that are dated ahead are refused, others are taken however old. */
  let aheadMs = 0;
  const underWay = new Set<Promise<void>>();

  const write = (line: Line): void => void journal.add(line).catch(options.onBug);
  const client = connect({
    url,
    token,
    ...(position !== undefined && { position }),
    WebSocket: badSocket({
      isUnruly: options.isUnruly,
      random: () => random.between(0, 999) / 1_000,
      met: (what) => write({ t: "met", who, what }),
      told(nowMs) {
        aheadMs = Math.max(0, Date.now() - nowMs);
      },
    }),
    history,
    cursors: before.cursors,
    onEvents(room, events) {
      const epoch = client.rooms.get(room)?.epoch ?? "";
      for (const event of events) write(lineOf(event, { who, room, epoch }));
    },
    onReset: (room) => write({ t: "reset", who, room }),
    onLeft: (room) => write({ t: "left", who, room }),
    onState(state, error) {
      if (state === "closed") options.onBug(error);
      if (state !== "online") return;
      write({ t: "met", who, what: "online" });
      isOnline();
    },
  });

  async function command(sent: Sent): Promise<void> {
    await journal.add(sent);
    try {
      const answer = await client.command(sent.method, sent.data as never, { key: sent.key });
      const { room, s } = answer as { readonly room: string; readonly s: number };
      await journal.add({ t: "done", who, key: sent.key, room, s });
      if (sent.method === "postMessage" && room !== loud) mine.push({ sent, s });
    } catch (error) {
      if (!(error instanceof HubError)) throw error;
      await journal.add({ t: "refused", who, key: sent.key, name: error.name });
    }
  }

  const keyOfNow = (): string => newKey(Date.now() - aheadMs);
  const make = (method: Method, data: JsonObject, key = keyOfNow()): Sent => ({
    t: "sent",
    who,
    key,
    method,
    data,
  });
  function post(room: string, length = 0): Sent {
    const key = keyOfNow();
    return make("postMessage", { room, text: `${key} ${who} ${turn}`.padEnd(length, ".") }, key);
  }

  /** What is sent next, all at once. */
  function next(): readonly Sent[] {
    turn += 1;
    if (pace?.loudLength !== undefined) return many(together.loud, () => post(loud, pace?.loudLength));
    const isTurn = (each: number) => turn % each === 0;
    if (guest !== undefined && isTurn(turns.door)) {
      isThere = !isThere;
      return [make(isThere ? "addMember" : "removeMember", { room: door, user: guest })];
    }
    const former = changeOf(random.pick(mine.slice(-20)), isTurn);
    const room = random.pick([...rooms, door]) ?? door;
    return former ?? many(isTurn(turns.burst) ? together.burst : 1, () => post(room));
  }

  /** Something with a message that was answered: sent once more, edited, or deleted. */
  function changeOf(last: (typeof mine)[number] | undefined, isTurn: (each: number) => boolean) {
    if (last === undefined) return undefined;
    const about = { room: last.sent.data.room ?? "", message: last.s };
    if (isTurn(turns.again)) return [last.sent];
    if (isTurn(turns.remove)) {
      mine.splice(mine.indexOf(last), 1);
      return [make("deleteMessage", about)];
    }
    if (!isTurn(turns.edit)) return undefined;
    const key = keyOfNow();
    return [make("editMessage", { ...about, text: `${key} edited` }, key)];
  }

  async function writeOn(): Promise<void> {
    await whenOnline;
    await Promise.all(before.open.map((sent) => tracked(command(sent))));
    for (;;) {
      if (pace === undefined) {
        await new Promise<void>((resolve) => {
          resume = resolve;
        });
        continue;
      }
      await Promise.all(next().map((sent) => tracked(command(sent))));
      await pause(pace?.pauseMs ?? 0);
    }
  }
  function tracked(work: Promise<void>): Promise<void> {
    underWay.add(work);
    return work.finally(() => underWay.delete(work));
  }
  void writeOn().catch(options.onBug);

  return {
    go(next) {
      pace = next;
      resume();
    },
    async rest() {
      pace = undefined;
      while (underWay.size > 0) await Promise.all(underWay);
    },
  };
}

const many = <T>(count: number, make: () => T): readonly T[] => Array.from({ length: count }, make);

function lineOf({ s, t, by, d }: RoomEvent, at: { who: string; room: string; epoch: string }): Told {
  const text = typeof d === "object" && d !== null && "text" in d && typeof d.text === "string" ? d.text : undefined;
  return { t: "event", ...at, s, kind: t, by, key: text?.slice(0, text.indexOf(" ")) };
}

/** How far a client of an earlier process was, and what it was not answered. */
function pastOf({ journalFile, who }: Pick<WriterOptions, "journalFile" | "who">) {
  const cursors = new Map<string, Cursor>();
  const open = new Map<string, Sent>();
  for (const line of readClientJournal(journalFile)) {
    if (line.who !== who) continue;
    if (line.t === "event") cursors.set(line.room, [line.epoch, line.s]);
    else if (line.t === "reset" || line.t === "left") cursors.delete(line.room);
    else if (line.t === "sent") open.set(line.key, line);
    else if (line.t === "done" || line.t === "refused") open.delete(line.key);
  }
  return { cursors: Object.fromEntries(cursors), open: [...open.values()] };
}
