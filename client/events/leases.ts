import { randomBytes } from "node:crypto";
import type { Subject } from "@connect-hub/domain/kernel";
import { atStart, type LanePosition, ServiceError, type ServiceState } from "@connect-hub/domain/services";
import type { LaneId } from "@connect-hub/domain/values";
import { z } from "zod";
import { subjectKey } from "./parking.ts";

const Positions = z.record(z.string(), z.tuple([z.string(), z.number()]));
const Plan = z.object({ instances: z.number(), lanes: Positions });
const Lease = z.object({ holder: z.string().nullable(), lanes: Positions });
const Retry = z.object({ subject: z.custom<Subject>() });

type PositionMap = ReadonlyMap<LaneId, LanePosition>;

/** A part of the work as it is kept: who holds it and how far it is, in one entry, so that only who holds it can move it on. */
export interface LeaseEntry {
  readonly holder: string | null;
  readonly positions: PositionMap;
  readonly revision: number;
  /** Nobody has renewed it for as long as a lease lasts. */
  readonly isStale: boolean;
}

/** What is kept of a durable, at one moment. */
export interface Look {
  readonly leases: ReadonlyMap<number, LeaseEntry>;
  /** The instances that were heard of lately, in order; this one is always among them. */
  readonly live: readonly string[];
  readonly retries: readonly Subject[];
}

/**
 * What the instances of a durable tell one another by what they keep. Nobody trusts another's clock: an entry is stale when its revision
 * has stayed the same for as long as a lease lasts, by the clock of who looks.
 */
export class Leases {
  readonly id = randomBytes(6).toString("hex");
  readonly leaseMs: number;
  readonly #state: ServiceState;
  readonly #durable: string;
  readonly #seen = new Map<string, { readonly revision: number; readonly at: number }>();
  #presence = 0;

  constructor(state: ServiceState, { durable, leaseMs }: { readonly durable: string; readonly leaseMs: number }) {
    this.#state = state;
    this.#durable = durable;
    this.leaseMs = leaseMs;
  }

  /**
   * Where the durable began: `begin` says it for a new one, and for lanes that it did not read before, `heads`; one that began at the start begins
   * there in each lane. Throws `ServiceError` `InstancesFixed`.
   */
  async plan(
    instances: number,
    {
      begin,
      lanes,
      heads,
    }: { begin(): Promise<PositionMap>; lanes: Iterable<LaneId>; heads(of: readonly LaneId[]): Promise<PositionMap> },
  ): Promise<PositionMap> {
    for (;;) {
      const found = (await this.#state.list("plan")).find(({ key }) => key === `plan.${this.#durable}`);
      if (found === undefined) {
        await this.#writePlan({ instances, lanes: await begin() }, 0);
        continue;
      }
      const plan = Plan.parse(JSON.parse(found.value));
      if (plan.instances !== instances) throw this.#instancesFixed(plan.instances, instances);
      const known = mapOf(plan.lanes);
      const others = known.size === 0 ? [] : [...lanes].filter((lane) => !known.has(lane));
      if (others.length === 0) return known;
      await this.#writePlan({ instances, lanes: new Map([...known, ...(await heads(others))]) }, found.revision);
    }
  }

  /** Does nothing when another instance was faster. */
  async #writePlan({ instances, lanes }: { instances: number; lanes: PositionMap }, revision: number): Promise<void> {
    const plan = { instances, lanes: Object.fromEntries(lanes) };
    await this.#state.put(`plan.${this.#durable}`, JSON.stringify(plan), revision);
  }

  #instancesFixed(made: number, instances: number): ServiceError {
    const text = `The durable ${this.#durable} was made for ${made} instance(s), not ${instances}: that is fixed. Use another name to begin anew.`;
    return new ServiceError("InstancesFixed", text);
  }

  /** Says that this instance is there, and looks at what the others said. */
  async look(): Promise<Look> {
    const own = `run.${this.#durable}.instance.${this.id}`;
    this.#presence = (await this.#state.put(own, "{}", this.#presence)) ?? 0;
    const now = performance.now();
    const leases = new Map<number, LeaseEntry>();
    const live = new Set([this.id]);
    const retries: Subject[] = [];
    for (const { key, value, revision } of await this.#state.list(`run.${this.#durable}`)) {
      const seen = this.#seen.get(key);
      if (seen?.revision !== revision) this.#seen.set(key, { revision, at: now });
      const isStale = seen?.revision === revision && now - seen.at > this.leaseMs;
      const [, , kind, name = ""] = key.split(".");
      if (kind === "instance" && !isStale) live.add(name);
      if (kind === "instance" && isStale && now - (seen?.at ?? now) > 3 * this.leaseMs) await this.#state.drop(key);
      if (kind === "retry") retries.push(Retry.parse(JSON.parse(value)).subject);
      if (kind !== "lease") continue;
      const { holder, lanes } = Lease.parse(JSON.parse(value));
      leases.set(Number(name), { holder, positions: mapOf(lanes), revision, isStale });
    }
    return { leases, live: [...live].sort(), retries };
  }

  /** Takes, renews or (with `holder` null) gives back a part of the work; its new revision, or undefined when another one was faster. */
  write(
    partition: number,
    revision: number,
    lease: Omit<LeaseEntry, "revision" | "isStale">,
  ): Promise<number | undefined> {
    const value = { holder: lease.holder, lanes: Object.fromEntries(lease.positions) };
    return this.#state.put(`run.${this.#durable}.lease.${partition}`, JSON.stringify(value), revision);
  }

  /** Asks whoever holds a subject to try it again. */
  async askRetry(subject: Subject): Promise<void> {
    await this.#state.put(this.#retryKey(subject), JSON.stringify({ subject }), 0);
  }

  async retryDone(subject: Subject): Promise<void> {
    await this.#state.drop(this.#retryKey(subject));
  }

  /** This instance is no more. */
  async leave(): Promise<void> {
    await this.#state.drop(`run.${this.#durable}.instance.${this.id}`);
  }

  /** How far each lane is, over all parts of the work. */
  async positions(partitions: number, first: PositionMap): Promise<PositionMap> {
    const { leases } = await this.look();
    const parts = Array.from(
      { length: partitions },
      (_, part) => new Map([...first, ...(leases.get(part)?.positions ?? [])]),
    );
    const lanes = new Set(parts.flatMap((part) => [...part.keys()]));
    return new Map([...lanes].map((lane) => [lane, lowest(parts.map((part) => part.get(lane) ?? atStart))]));
  }

  #retryKey(subject: Subject): string {
    return `run.${this.#durable}.retry.${subjectKey(subject)}`;
  }
}

function lowest(positions: readonly LanePosition[]): LanePosition {
  return positions.reduce((low, one) => (one[1] < low[1] ? one : low));
}

function mapOf(lanes: { readonly [lane: string]: readonly [string, number] }): PositionMap {
  return new Map(Object.entries(lanes) as [LaneId, LanePosition][]);
}
