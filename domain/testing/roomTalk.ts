import type { DomainEvent } from "../kernel/event.ts";
import type { JsonObject } from "../values/json.ts";

/** The events of what goes on in some rooms, with the right numbers. */
export class RoomTalk {
  readonly #rooms = new Map<string, { s: number; m: number; people: string[]; posts: { s: number; by: string }[] }>();
  readonly #random: () => number;

  /** `random` gives numbers from 0 up to 1; the same ones give the same talk. */
  constructor(random: () => number) {
    this.#random = random;
  }

  create(room: string, people: readonly string[]): DomainEvent {
    const [owner = "nobody"] = people;
    const members = people.map((user) => ({ user, role: user === owner ? "owner" : "member" }));
    this.#rooms.set(room, { s: 0, m: 0, people: [...people], posts: [] });
    return this.#event(room, "RoomCreated.v1", owner, { type: "group", name: `room ${room}`, members });
  }

  post(room: string, text: string): DomainEvent {
    const state = this.#state(room);
    const by = this.#oneOf(state.people);
    state.m += 1;
    const event = this.#event(room, "MessagePosted.v1", by, { body: { text } });
    state.posts.push({ s: state.s, by });
    return { ...event, m: state.m };
  }

  /** Mostly posts, and everything else now and then. */
  next(room: string): DomainEvent {
    const state = this.#state(room);
    const dice = this.#random();
    const post = state.posts.length > 0 && dice < 0.2 ? this.#oneOf(state.posts) : undefined;
    if (post !== undefined && dice < 0.12) {
      const body = { text: `changed ${dice}`, files: [] };
      return this.#event(room, "MessageEdited.v2", post.by, { message: post.s, edits: [], files: [], body });
    }
    if (post !== undefined) {
      state.posts.splice(state.posts.indexOf(post), 1);
      return this.#event(room, "MessageDeleted.v1", post.by, { message: post.s, edits: [] });
    }
    if (dice < 0.25) return this.#event(room, "RoomRenamed.v1", state.people[0] ?? "", { name: `name ${dice}` });
    if (dice < 0.3) return this.#comeOrGo(room);
    return this.post(room, `text ${dice} \\ \t "é😀"`);
  }

  #comeOrGo(room: string): DomainEvent {
    const { people } = this.#state(room);
    if (people.length > 3)
      return this.#event(room, "MemberLeft.v1", people.at(-1) ?? "", { user: people.pop() ?? "", role: "member" });
    const user = `guest-${room}-${this.#state(room).s}`;
    people.push(user);
    return this.#event(room, "MemberAdded.v1", people[0] ?? "", { user, role: "member" });
  }

  #event(room: string, type: string, by: string, data: JsonObject): DomainEvent {
    const state = this.#state(room);
    state.s += 1;
    return { type, subject: { kind: "room", id: room }, s: state.s, by, data };
  }

  #state(room: string) {
    const state = this.#rooms.get(room);
    if (state === undefined) throw new Error(`there is no room ${room}`);
    return state;
  }

  #oneOf<T>(all: readonly T[]): T {
    const one = all[Math.floor(this.#random() * all.length)];
    if (one === undefined) throw new Error("there is none");
    return one;
  }
}

/** Numbers from 0 up to 1 that are the same for the same seed (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
