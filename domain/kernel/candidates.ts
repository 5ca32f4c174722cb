import { createHash } from "node:crypto";
import * as z from "zod";
import type { LaneId } from "../values/ids.ts";

// Which instance of `commands` is to write a lane. That only decides who tries: safety is the take-over commit's alone.

/**
 * What each instance of `commands` says every second, at once when one that it does not know speaks, and when it begins to leave. A
 * format between processes of one system; `docs/format.md` shows its golden bytes.
 */
export interface InstanceBeat {
  /** 12 hex digits, drawn at each start. */
  readonly instance: string;
  /** It goes on serving what it leads until others have taken it, and takes nothing more. */
  readonly leaving: boolean;
}

const InstanceBeatShape = z.object({ instance: z.string().regex(/^[0-9a-f]{12}$/), leaving: z.boolean() });

export function encodeInstanceBeat({ instance, leaving }: InstanceBeat): Uint8Array {
  return Buffer.from(JSON.stringify({ instance, leaving }));
}

/** The beat in these bytes, or undefined if they are none. */
export function decodeInstanceBeat(bytes: Uint8Array): InstanceBeat | undefined {
  try {
    return InstanceBeatShape.safeParse(JSON.parse(Buffer.from(bytes).toString())).data;
  } catch {
    return undefined;
  }
}

/** The id of the `attempt`th writer of an instance. */
export function writerIdOf(instance: string, attempt: number): string {
  return `${instance}-${attempt}`;
}

/** The instance whose writer has this id. */
export function instanceOf(writer: string): string {
  return writer.split("-", 1)[0] ?? "";
}

/**
 * The instances in the order in which they should write a lane (rendezvous hashing): each lane has its own, and when one comes or goes,
 * only the lanes that it has move.
 */
export function candidates(lane: LaneId, instances: Iterable<string>): readonly string[] {
  const weight = (instance: string) => createHash("sha256").update(`${instance}|${lane}`).digest("hex");
  return [...instances]
    .map((instance) => [weight(instance), instance] as const)
    .sort(([a], [b]) => (a < b ? 1 : -1))
    .map(([, instance]) => instance);
}

/** What an instance that does not lead a lane knows of it. */
export interface Standing {
  /** Its place among the candidates, 0 for the first; -1 when it is none, because it leaves. */
  readonly rank: number;
  /** For how long it has been the first, in milliseconds. */
  readonly firstForMs: number;
  /** For how long nobody has led the lane who means to go on: the writer's instance is gone or leaving, or the writer silent. */
  readonly vacantForMs: number | undefined;
}

/**
 * Whether it is to take the lane over now. The first one takes a vacant lane at once, and one that is led after it has been the first
 * for a while, so that lanes don't move with each short fault. The next ones wait in turn for a first one that can't.
 */
export function shouldTake({ rank, firstForMs, vacantForMs }: Standing): boolean {
  if (rank < 0) return false;
  if (vacantForMs !== undefined) return vacantForMs >= rank * turnMs;
  return rank === 0 && firstForMs >= steadyMs;
}

const turnMs = 2_000;
const steadyMs = 2_000;
