import { accountCommands, accountModel } from "@connect-hub/domain/account";
import { contentCommands, contentModel, pressureLevels } from "@connect-hub/domain/content";
import {
  type Command,
  type CommandDefinition,
  type ContextModel,
  changesOfEvent,
  type DomainEvent,
  type Facts,
  MemoryTables,
  splitRef,
} from "@connect-hub/domain/kernel";
import { dialogIdOf, roomCommands, roomModel } from "@connect-hub/domain/room";
import { plainHashes } from "@connect-hub/domain/testing";
import type { JsonObject, LaneId } from "@connect-hub/domain/values";

/** One lane of each context. */
export const frozenLanes = {
  "accounts.0": accountModel,
  "rooms.0": roomModel,
  "content.0": contentModel,
} as const satisfies { [lane in LaneId]?: ContextModel };
export type FrozenLane = keyof typeof frozenLanes;

const commands = { ...accountCommands, ...roomCommands, ...contentCommands } as const;
type Kind = keyof typeof commands;
type Move = readonly [actor: string, kind: Kind, subject: string, data: JsonObject, meta?: JsonObject];

const password = "correct horse";

/**
 * What goes on in a whole box: commands at random, of few people in few rooms, decided as they really are, each over the facts
 * that it names in all three lanes.
 */
export class World {
  readonly #tables = Object.fromEntries(
    Object.entries(frozenLanes).map(([lane, model]) => [lane, new MemoryTables(model.tables)]),
  ) as { [lane in FrozenLane]: MemoryTables };
  readonly #random: () => number;
  #made = 0;

  /** `random` gives numbers from 0 up to 1; the same ones give the same world. */
  constructor(random: () => number) {
    this.#random = random;
  }

  /** Sends one command; the lane that took it and its events. None if it was refused or changed nothing. */
  async next(): Promise<{ readonly lane: FrozenLane; readonly events: readonly DomainEvent[] }> {
    const [actor, kind, subject, data, meta = {}] = this.#move();
    this.#made += 1;
    const command: Command = {
      key: { actor, id: this.#id("c", this.#made) },
      kind,
      subject,
      data,
      deadlineAt: 0,
      meta,
    };
    const definition: CommandDefinition = commands[kind];
    const lane: FrozenLane = `${definition.context}.0`;
    const facts = this.#factsFor(command, definition);
    const tools = {
      hashes: plainHashes,
      hashPassword: async (text: string) => `hash of ${text}`,
      verifyPassword: async (hash: string | undefined, text: string) => hash === `hash of ${text}`,
    };
    const prepared = (await definition.prepare?.(command, facts, tools)) ?? {};
    const decision = definition.decide(command, facts, { hashes: plainHashes, prepared });
    const events = "events" in decision ? decision.events : [];
    const place = { lane, n: this.#made, at: new Date(1_700_000_000_000 + this.#made).toISOString() };
    for (const event of events) this.#tables[lane].apply(changesOfEvent(event, place, frozenLanes[lane]));
    return { lane, events };
  }

  /** People whose accounts were closed. */
  get closed(): string[] {
    const gone = this.#rows("accounts.0", "users").filter((user) => user.status !== "active");
    return gone.map((user) => String(user.id));
  }

  #factsFor(command: Command, definition: CommandDefinition): Facts {
    const owner = (table: string) =>
      (Object.keys(frozenLanes) as FrozenLane[]).find((lane) =>
        frozenLanes[lane].tables.some(({ name }) => name === table),
      ) ?? "rooms.0";
    const needed = new Set<string>();
    const facts: Facts = {
      get: (ref) => (needed.has(ref) ? this.#tables[owner(splitRef(ref).table)].get(ref) : undefined),
    };
    for (let size = -1; size < needed.size; ) {
      size = needed.size;
      for (const ref of definition.needs(command, facts, plainHashes)) needed.add(ref);
    }
    return facts;
  }

  #move(): Move {
    const person = () => this.#id("a", this.#below(8));
    const room = () => this.#id("b", this.#below(4));
    const file = () => this.#id("f", this.#below(this.#made + 1));
    const hash = () => this.#oneOf(["a", "b", "c", "d"]).repeat(64);
    const node = () => this.#id("d", this.#below(3));
    const fresh = (prefix: string) => this.#id(prefix, this.#made);
    const text = () => `text ${this.#made} \\ \t "é😀"`;
    const post = () => this.#oneOf(this.#rows("rooms.0", "messages").filter((row) => row.type === "message"));
    const account = (id: string) => ({ email: `${id.slice(-3)}@example.org`, password });
    const claim = (): Move => {
      const data = { room: room(), name: `${this.#made}.txt`, type: "text/plain", size: 5, hash: hash(), chunks: "q" };
      return [person(), "claimFile", fresh("f"), data];
    };
    const withFiles = (): Move => {
      const mine = this.#oneOf(this.#rows("content.0", "files").filter((row) => row.state === "claimed"));
      const data = { room: String(mine.room_id), text: text(), files: [String(mine.id)] };
      return [String(mine.owner), "postMessage", data.room, data];
    };
    const change = (kind: "editMessage" | "deleteMessage"): Move => {
      const { room_id, s, sent_by } = post();
      const data = { room: String(room_id), message: Number(s), ...(kind === "editMessage" && { text: text() }) };
      return [String(sent_by), kind, data.room, data];
    };
    const inRoom = (kind: Kind, data: JsonObject): Move => {
      const where = room();
      return [person(), kind, where, { room: where, ...data }];
    };
    const moves: (() => Move)[] = [
      () => {
        const id = person();
        return ["anonymous", "register", id, { ...account(id), name: `Person ${id.slice(-3)}` }];
      },
      () => ["anonymous", "signIn", fresh("e"), account(person()), { ip: "::1", userAgent: "frozen" }],
      () => {
        const session = this.#oneOf(this.#rows("accounts.0", "sessions"));
        return [String(session.user_id), "signOut", String(session.user_id), {}, { session: String(session.id) }];
      },
      () => [person(), "createRoom", room(), { name: text(), members: [person(), person()] }],
      () => {
        const [one, other] = [person(), person()];
        return [one, "openDialog", dialogIdOf(plainHashes, one, other), { with: other }];
      },
      () => inRoom("postMessage", { text: text() }),
      () => inRoom("postMessage", { text: text() }),
      () => inRoom("renameRoom", { name: text() }),
      () => inRoom("addMember", { user: person() }),
      () => (this.#below(3) > 0 ? inRoom("addMember", { user: person() }) : inRoom("removeMember", { user: person() })),
      () => (this.#below(3) > 0 ? inRoom("addMember", { user: person() }) : inRoom("leaveRoom", {})),
      () => change("editMessage"),
      () => change("editMessage"),
      () => change("deleteMessage"),
      () =>
        this.closed.length > 2 || this.#below(20) > 0 ? withFiles() : [person(), "closeAccount", "", { password }],
      () => ["system", "recordErasure", this.#oneOf(this.closed), {}],
      () => {
        const [where, user] = [room(), this.#oneOf(this.closed)];
        return ["system", "evictMember", where, { room: where, user }];
      },
      claim,
      withFiles,
      () => {
        const { id, room_id } = this.#oneOf(this.#rows("content.0", "files"));
        return ["system", "voidClaim", String(room_id), { room: String(room_id), file: String(id) }];
      },
      () => [person(), "forwardFile", fresh("f"), { file: file(), room: room() }, { mayRead: true }],
      () => {
        const { id, room_id } = this.#oneOf(this.#rows("content.0", "files"));
        return ["system", "confirmFile", String(id), { file: String(id), room: String(room_id), s: 2 }];
      },
      () => {
        const { id } = this.#oneOf(this.#rows("content.0", "files"));
        return ["system", "releaseFile", String(id), { file: String(id), reason: this.#oneOf(["deleted", "expired"]) }];
      },
      () => {
        const data = { host: "127.0.0.1", port: 22, user: "hub", path: "/data", hostKey: `SHA256:${"q".repeat(43)}` };
        const id = node();
        return ["operator", "addNode", id, { name: `node-${id.slice(-3)}`, ...data }];
      },
      () => ["placement", "recordReplica", "", { hash: hash(), node: node(), name: "blob", size: 5 }],
      () => ["placement", "dropLocal", "", { hash: hash(), minReplicas: 1 }],
      () => {
        const data = { level: this.#oneOf(pressureLevels), used: this.#made, budget: 1_000 };
        return ["placement", "reportPressure", "local", data];
      },
    ];
    for (;;) {
      try {
        return this.#oneOf(moves)();
      } catch (error) {
        if (!(error instanceof NothingThere)) throw error;
      }
    }
  }

  #rows(lane: FrozenLane, table: string) {
    return this.#tables[lane].rows(table);
  }

  #below(n: number): number {
    return Math.floor(this.#random() * n);
  }

  #oneOf<T>(all: readonly T[]): T {
    const one = all[this.#below(all.length)];
    if (one === undefined) throw new NothingThere();
    return one;
  }

  #id(kind: string, number: number): string {
    return `0192f0c4-8e00-7000-8000-${kind}${number.toString(16).padStart(11, "0")}`;
  }
}

class NothingThere extends Error {}
