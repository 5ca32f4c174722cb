import { contentCommands, contentModel, pressureLevels } from "../content/index.ts";
import type { Change } from "../kernel/change.ts";
import { changesOfEvent } from "../kernel/changesOfCommit.ts";
import type { Command } from "../kernel/command.ts";
import type { DomainEvent } from "../kernel/event.ts";
import type { Facts } from "../kernel/fact.ts";
import { MemoryTables } from "../kernel/memoryTables.ts";
import type { JsonObject } from "../values/json.ts";
import { plainHashes } from "./scenario.ts";

type Kind = keyof typeof contentCommands;

/** What goes on in the lane of content: commands at random, over few files, bytes and nodes, decided as they really are. */
export class ContentTalk {
  readonly tables = new MemoryTables(contentModel.tables);
  readonly #random: () => number;
  #made = 0;

  /** `random` gives numbers from 0 up to 1; the same ones give the same talk. */
  constructor(random: () => number) {
    this.#random = random;
  }

  /** Sends one command; what its events change, none if it was refused. The changes are in `tables` already. */
  next(): Change[] {
    return this.nextEvents().flatMap((event) => [...this.#changesOf(event)]);
  }

  /** Sends one command; its events. What they change is in `tables` already. */
  nextEvents(): readonly DomainEvent[] {
    const [kind, subject, data] = this.#oneOf(this.#moves())();
    const events = this.#decided(kind, subject, data);
    for (const event of events) this.tables.apply(this.#changesOf(event));
    return events;
  }

  #changesOf(event: DomainEvent): readonly Change[] {
    return changesOfEvent(event, { lane: "content.0", n: this.#made, at: instantOf(this.#made) }, contentModel);
  }

  #moves(): (() => [Kind, string, JsonObject])[] {
    const hash = () => this.#oneOf(["a", "b", "c"]).repeat(64);
    const node = () => this.#oneOf(["n1", "n2", "n3"]);
    const file = () => `f${Math.floor(this.#random() * (this.#made + 1))}`;
    const fresh = () => `f${this.#made}`;
    const claim = (): [Kind, string, JsonObject] => {
      const data = { room: "r", name: "a \\ \t é😀.txt", type: "text/plain", size: 1, hash: hash(), chunks: "x" };
      return ["claimFile", fresh(), data];
    };
    const release = (): [Kind, string, JsonObject] => ["releaseFile", "", { file: file(), reason: "deleted" }];
    const replica = (): [Kind, string, JsonObject] => [
      "recordReplica",
      "",
      { hash: hash(), node: node(), name: "blob", size: 1 },
    ];
    return [
      claim,
      claim,
      () => ["forwardFile", fresh(), { file: file(), room: "r2" }],
      () => ["confirmFile", "", { file: file(), room: "r", s: 1 + this.#made }],
      release,
      release,
      () => ["addNode", node(), { ...nodeData, name: node() }],
      replica,
      replica,
      () => ["dropLocal", "", { hash: hash(), minReplicas: 1 }],
      () => ["reportPressure", "local", { level: this.#oneOf(pressureLevels), used: this.#made, budget: 100 }],
    ];
  }

  #decided(kind: Kind, subject: string, data: JsonObject): readonly DomainEvent[] {
    this.#made += 1;
    const key = { actor: "ana", id: String(this.#made) };
    const command: Command = { key, kind, subject, data, deadlineAt: 0, meta: { mayRead: true } };
    const definition = contentCommands[kind];
    const needed = new Set(definition.needs(command, { get: () => undefined }, plainHashes));
    const facts: Facts = { get: (ref) => (needed.has(ref) ? this.tables.get(ref) : undefined) };
    const decision = definition.decide(command, facts, { hashes: plainHashes, prepared: {} });
    return "events" in decision ? decision.events : [];
  }

  #oneOf<T>(all: readonly T[]): T {
    const one = all[Math.floor(this.#random() * all.length)];
    if (one === undefined) throw new Error("there is none");
    return one;
  }
}

const nodeData = { host: "127.0.0.1", port: 22, user: "hub", path: "/data", hostKey: "SHA256:x" };
const instantOf = (n: number): string => new Date(1_700_000_000_000 + n).toISOString();
