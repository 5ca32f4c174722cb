import {
  decodeBeat,
  decodeCommit,
  instanceOf,
  type Lane,
  pause,
  shouldTake,
  subjects,
} from "@connect-hub/domain/kernel";
import { type Instances, type NatsLink, subscribeLive } from "@connect-hub/jetstream";

export interface LaneTurnOptions {
  readonly link: NatsLink;
  readonly prefix: string;
  readonly lane: Lane;
  readonly instances: Instances;
}

const tickMs = 50;
const silentAfterMs = 3_000;
/** This process stood still when a tick is so late; that it heard nobody meanwhile says nothing. */
const stoodStillMs = 1_000;

/**
 * Resolves when this instance is to take the lane over, or when `signal` aborts. Who leads it the log says at first, then the beats. Throws
 * `LogUnavailable` and `EpochOver`.
 */
export async function laneTurn(options: LaneTurnOptions, signal: AbortSignal): Promise<void> {
  const { link, prefix, lane, instances } = options;
  let leader = await lastLeader(lane);
  let heardAt = performance.now();
  let tickedAt = heardAt;
  let firstAt: number | undefined;
  let vacantAt: number | undefined;
  const listening = subscribeLive(link, subjects(prefix).beat(lane.id), ({ body }) => {
    const beat = decodeBeat(body);
    if (beat === undefined || beat.epoch !== lane.epoch || beat.term < leader.term) return;
    leader = { term: beat.term, instance: instanceOf(beat.writer) };
    heardAt = performance.now();
  });
  try {
    while (!signal.aborted) {
      const now = performance.now();
      if (now - tickedAt > stoodStillMs || !link.connected) heardAt = now;
      tickedAt = now;
      const isLed = leader.instance !== instances.self && instances.isStaying(leader.instance);
      const rank = instances.rank(lane.id);
      vacantAt = isLed && now - heardAt < silentAfterMs ? undefined : (vacantAt ?? now);
      firstAt = rank === 0 ? (firstAt ?? now) : undefined;
      const firstForMs = firstAt === undefined ? 0 : now - firstAt;
      const vacantForMs = vacantAt === undefined ? undefined : now - vacantAt;
      if (link.connected && shouldTake({ rank, firstForMs, vacantForMs })) return;
      await pause(tickMs, signal);
    }
  } finally {
    listening.unsubscribe();
  }
}

async function lastLeader(lane: Lane): Promise<{ readonly term: number; readonly instance: string }> {
  const n = await lane.lastNumber();
  const last = n === 0 ? undefined : await lane.readAt(n);
  if (last === undefined) return { term: 0, instance: "" };
  const { term, writer } = decodeCommit(last.bytes);
  return { term, instance: instanceOf(writer) };
}
