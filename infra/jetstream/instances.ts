import { randomBytes } from "node:crypto";
import { candidates, decodeInstanceBeat, encodeInstanceBeat, subjects } from "@connect-hub/domain/kernel";
import type { LaneId } from "@connect-hub/domain/values";
import type { NatsLink } from "./connectNats.ts";
import { subscribeLive } from "./liveBus.ts";

/** The instances of `commands` that share the lanes, as this one hears of them. */
export interface Instances {
  /** This one: 12 hex digits. */
  readonly self: string;
  /** Whether that instance, which may be this one, speaks and means to stay. */
  isStaying(instance: string): boolean;
  /** The place of this one among the candidates for a lane: 0 for the first, -1 when it leaves. */
  rank(lane: LaneId): number;
  /** Whether there is another one that stays. */
  readonly hasOthers: boolean;
  /** Says that this one leaves. */
  leave(): void;
  close(): void;
}

const beatMs = 1_000;
const silentAfterMs = 3_000;
/** How long the others have to answer one that is new. */
const greetingMs = 250;
/** This process stood still when its timer is so late: it has heard nobody meanwhile, and that says nothing of them. */
const stoodStillMs = 2_000;

/** Joins the instances; resolves when those that are there had time to answer. */
export async function joinInstances(link: NatsLink, prefix: string): Promise<Instances> {
  const self = randomBytes(6).toString("hex");
  const subject = subjects(prefix).instances;
  const others = new Map<string, { leaving: boolean; heardAt: number }>();
  let leaving = false;
  let lastBeatAt = performance.now();

  function beat(): void {
    const now = performance.now();
    if (now - lastBeatAt > stoodStillMs) forgive();
    lastBeatAt = now;
    for (const [instance, { heardAt }] of others) if (now - heardAt > silentAfterMs) others.delete(instance);
    if (link.connected) link.nc.publish(subject, encodeInstanceBeat({ instance: self, leaving }));
  }

  /** Gives the others the time again in which they may be silent. */
  function forgive(): void {
    const now = performance.now();
    for (const other of others.values()) other.heardAt = now;
  }

  const listening = subscribeLive(link, subject, ({ body }) => {
    const heard = decodeInstanceBeat(body);
    if (heard === undefined || heard.instance === self) return;
    const isNew = !others.has(heard.instance);
    others.set(heard.instance, { leaving: heard.leaving, heardAt: performance.now() });
    if (isNew) beat();
  });
  const stopWatching = link.onEvent(({ type }) => {
    if (type !== "connected") return;
    forgive();
    beat();
  });
  const timer = setInterval(beat, beatMs);
  const staying = () => {
    const now = performance.now();
    const heard = [...others].filter(([, other]) => !other.leaving && now - other.heardAt < silentAfterMs);
    return heard.map(([instance]) => instance);
  };
  beat();
  await new Promise((resolve) => setTimeout(resolve, greetingMs));
  return {
    self,
    isStaying: (instance) => (instance === self ? !leaving : staying().includes(instance)),
    rank: (lane) => (leaving ? -1 : candidates(lane, [self, ...staying()]).indexOf(self)),
    get hasOthers() {
      return staying().length > 0;
    },
    leave() {
      leaving = true;
      beat();
    },
    close() {
      clearInterval(timer);
      stopWatching();
      listening.unsubscribe();
    },
  };
}
