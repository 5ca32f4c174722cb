import * as z from "zod";
import { contexts, type LaneId } from "../values/ids.ts";

// A format between processes of one system; `docs/format.md` shows its golden bytes.

/**
 * What a lane's writer says each second: where the lane is, whose it is, and the heads of the rooms that changed in
 * commits `from` … `to`. A reader that misses a beat sees it in the next one's `from`. A term's first beat starts at its
 * take-over commit.
 */
export interface Beat {
  readonly lane: LaneId;
  readonly epoch: string;
  readonly term: number;
  readonly writer: string;
  /** The head of the lane. */
  readonly seq: number;
  readonly from: number;
  readonly to: number;
  readonly rooms: readonly (readonly [id: string, s: number])[];
}

const BeatShape = z.object({
  lane: z.templateLiteral([z.enum(contexts), ".", z.int()]),
  epoch: z.string().length(32),
  term: z.int(),
  writer: z.string(),
  seq: z.int(),
  from: z.int(),
  to: z.int(),
  rooms: z.array(z.tuple([z.string(), z.int()])),
});

/** The bytes of a beat. */
export function encodeBeat(beat: Beat): Uint8Array {
  const { lane, epoch, term, writer, seq, from, to, rooms } = beat;
  return Buffer.from(JSON.stringify({ lane, epoch, term, writer, seq, from, to, rooms }));
}

/** The beat in these bytes, or undefined if they are none. */
export function decodeBeat(bytes: Uint8Array): Beat | undefined {
  try {
    const parsed = BeatShape.safeParse(JSON.parse(Buffer.from(bytes).toString()));
    return parsed.success ? (parsed.data as Beat) : undefined;
  } catch {
    return undefined;
  }
}

/** Gathers what the next beat says. */
export class BeatGatherer {
  #from: number;
  #rooms = new Map<string, number>();

  constructor(takeOver: number) {
    this.#from = takeOver;
  }

  saw(room: string, s: number): void {
    this.#rooms.set(room, s);
  }

  /** The beat up to commit `head`; the next one starts after it. */
  take(head: number): Pick<Beat, "seq" | "from" | "to" | "rooms"> {
    const beat = { seq: head, from: this.#from, to: head, rooms: [...this.#rooms] };
    this.#from = head + 1;
    this.#rooms = new Map();
    return beat;
  }
}
