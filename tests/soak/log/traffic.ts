import type { CommandInput } from "@connect-hub/domain/values";
import type { Acknowledged, Journal } from "../../demo/journal.ts";
import { newKey } from "../../demo/newKey.ts";
import { gather, type Person } from "../../demo/people.ts";
import { uploadSurely } from "../../support/fileDoor.ts";

/** People who write in some rooms without end. */
export interface Traffic {
  readonly people: readonly Person[];
  readonly rooms: readonly string[];
  /** Every command that was acknowledged, in the order in which that was heard; what only the judge empties. */
  readonly acknowledged: Acknowledged[];
  /** What a command was answered that must not be refused. */
  readonly faults: string[];
  /** The answer that came last. */
  readonly last: Acknowledged | undefined;
  go(): void;
  /** Resolves when everything sent was answered; nothing more is sent until `go`. */
  rest(): Promise<void>;
  close(): Promise<void>;
}

export interface TrafficOptions {
  readonly address: string;
  readonly journal: Journal;
}

const names = ["Ada", "Ben", "Cleo", "Dan"];
const pauseMs = 25;
const uploadMs = 60_000;
/** Each so many-th turn of a person is something else than a message. */
const turns = { again: 7, edit: 9, file: 17, remove: 23, room: 61 } as const;

/** Registers some people, makes rooms with all of them, and has them write once `go` is called. */
export async function startTraffic({ address, journal }: TrafficOptions): Promise<Traffic> {
  const acknowledged: Acknowledged[] = [];
  const people = await gather(names, address, {
    async add(entry) {
      await journal.add(entry);
      acknowledged.push(entry);
    },
    close: () => undefined,
  });
  const [first] = people;
  if (first === undefined) throw new Error("There is nobody to write.");
  const all = people.map(({ session }) => session.user);
  const make = (person: Person, name: string) =>
    person.say("createRoom", { name, members: all.filter((user) => user !== person.session.user) });
  const rooms: string[] = [];
  for (let made = 1; made <= 4; made++) {
    rooms.push((await make(first, `Room ${made}`)).room);
  }
  const faults: string[] = [];
  let last: Acknowledged | undefined;
  const underWay = new Set<Promise<void>>();
  let state: "resting" | "going" | "over" = "resting";
  let changed: () => void = () => undefined;
  let change = new Promise<void>((resolve) => {
    changed = resolve;
  });
  const turnTo = (next: typeof state) => {
    state = next;
    changed();
    change = new Promise<void>((resolve) => {
      changed = resolve;
    });
  };

  async function write(person: Person, index: number): Promise<void> {
    const mine: Acknowledged[] = [];
    for (let turn = 1; state !== "over"; turn++) {
      if (state === "resting") {
        await change;
        continue;
      }
      const taken = takeTurn(person, turn, mine, index).then(
        (entry) => {
          last = entry;
        },
        (error: unknown) => void faults.push(`${person.name}'s turn ${turn}: ${error}`),
      );
      underWay.add(taken);
      await taken;
      underWay.delete(taken);
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }

  async function takeTurn(person: Person, turn: number, mine: Acknowledged[], index: number): Promise<Acknowledged> {
    const room = rooms[(turn + index) % rooms.length] ?? "";
    const text = `${person.name} ${turn}`;
    const own = mine.at(-1);
    const isTurn = (each: number) => turn % each === index;
    if (own !== undefined && isTurn(turns.again)) return sendAgain(person, own);
    if (isTurn(turns.room)) return make(person, text);
    if (own !== undefined && isTurn(turns.edit)) {
      return person.say("editMessage", { room: own.room, message: own.s, text });
    }
    if (own !== undefined && isTurn(turns.remove)) {
      mine.pop();
      return person.say("deleteMessage", { room: own.room, message: own.s });
    }
    const posted = await person.say("postMessage", await message(person, { room, text }, isTurn(turns.file)));
    mine.push(posted);
    return posted;
  }

  /** The same command with the same key, any time later: it must be answered as it was. */
  async function sendAgain({ client, name }: Person, entry: Acknowledged): Promise<Acknowledged> {
    const { s } = await client.command(entry.method, entry.data as never, { key: entry.key });
    if (s !== entry.s) faults.push(`${name} was told ${entry.s} in ${entry.room}, and ${s} when it was sent again`);
    return entry;
  }

  async function message(
    { session }: Person,
    { room, text }: { readonly room: string; readonly text: string },
    withFile: boolean,
  ): Promise<CommandInput<"postMessage">> {
    if (!withFile) return { room, text };
    const upload = { room, name: `${text}.txt`, type: "text/plain", key: newKey() };
    const { file } = await uploadSurely({ address, token: session.token }, upload, Buffer.from(text), uploadMs);
    return { room, text, files: [file] };
  }

  const writing = people.map(write);
  return {
    people,
    rooms,
    acknowledged,
    faults,
    get last() {
      return last;
    },
    go: () => turnTo("going"),
    async rest() {
      turnTo("resting");
      await Promise.all(underWay);
    },
    async close() {
      turnTo("over");
      for (const { client } of people) client.close();
      await Promise.all(writing);
    },
  };
}
