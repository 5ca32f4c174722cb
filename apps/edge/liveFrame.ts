import type { LiveMessage } from "@connect-hub/jetstream";
import type { RoomFrame } from "./roomFrame.ts";

/** A frame as a lane's writer published it. */
export interface LiveFrame {
  readonly lane: string;
  /** The first 8 digits of the epoch of its lane. */
  readonly epoch8: string;
  readonly term: number;
  readonly frame: RoomFrame;
}

/** Reads the headers of a live frame; undefined if they are none of a frame. The body is copied, not looked at. */
export function readLiveFrame(message: LiveMessage): LiveFrame | undefined {
  const [, firstS, lastS] = /^(\d+)-(\d+)$/.exec(message.header("Hub-S") ?? "") ?? [];
  const lane = message.header("Hub-Lane");
  const epoch8 = message.header("Hub-Epoch");
  const term = Number(message.header("Hub-Term"));
  const n = Number(message.header("Hub-N"));
  if (lane === undefined || epoch8 === undefined || lastS === undefined) return undefined;
  if (!Number.isInteger(term) || !Number.isInteger(n)) return undefined;
  const membership = message.header("Hub-Members") === "1";
  const frame = { firstS: Number(firstS), lastS: Number(lastS), n, membership, body: Buffer.from(message.body) };
  return { lane, epoch8, term, frame };
}
