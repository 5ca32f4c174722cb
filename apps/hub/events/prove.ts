import { decodeCommit, type Lane, laneOf } from "@connect-hub/domain/kernel";
import { BadSetting } from "@connect-hub/runtime/settings";
import type { Command } from "commander";
import { readConnections } from "../box/connections.ts";
import type { CommandContext } from "../cli.ts";
import { signedHeadsOf, withLanes } from "../lanes.ts";
import { untilSignal } from "../untilSignal.ts";
import { anId, eventNumber } from "./filterOptions.ts";
import { laneWith, parsePlace } from "./position.ts";
import { assertHolds, type EventPlace, type Proof, placesOfRoom, prove } from "./proof.ts";
import { reveal } from "./reveal.ts";

interface ProveOptions {
  readonly event?: string;
  readonly room?: string;
  readonly from?: number;
  readonly to?: number;
  readonly reveal?: true;
  readonly json?: true;
}

/** A proof is made, and checked, in memory. */
const maxEvents = 10_000;

/** `hub events prove`: a document that shows somebody, who has neither the log nor the server, that something is on it. */
export function registerProve(events: Command, context: CommandContext): void {
  events
    .command("prove")
    .description(
      "print a proof that an event, or a part of a room, is on the log; node tools/checkProof.mjs checks it anywhere",
    )
    .option("--event <place>", "LANE:COMMIT:ENTRY:EVENT, for example rooms.0:42:0:0, as events tail --json shows it")
    .option("--room <id>", "all events of this room …", anId)
    .option("--from <s>", "… from this number", eventNumber)
    .option("--to <s>", `… to this one, ${maxEvents} at most`, eventNumber)
    .option("--reveal", "with what is sealed opened beside it; that is not proven")
    .option("--json", "the same: a proof is always JSON")
    .action((options: ProveOptions) =>
      withLanes(context, undefined, async (lanes, log) => {
        const { signal, release } = untilSignal();
        try {
          const asked = await placesOf(options, lanes, signal);
          const heads = await signedHeadsOf(log, [asked.lane.id]);
          const proven = await prove(asked.lane, asked.places, heads, signal);
          const proof: Proof = { v: 1, of: asked.of, ...proven };
          const opened =
            options.reveal === true ? await reveal(proof, readConnections(context.config().dataDir)) : proof;
          console.log(JSON.stringify(opened, undefined, 1));
        } finally {
          release();
        }
      }),
    );
}

/** Throws `BadSetting` unless these are some numbers of events, and not too many. */
export function assertRange(from: number, to: number): void {
  if (from > to) throw new BadSetting(`--from ${from} is after --to ${to}.`);
  const count = to - from + 1;
  if (count > maxEvents)
    throw new BadSetting(
      `Those are ${count} events; one proof is of ${maxEvents} at most. Make several, one after another.`,
    );
}

async function placesOf(
  { event, room, from, to }: ProveOptions,
  lanes: readonly Lane[],
  signal: AbortSignal,
): Promise<{ readonly lane: Lane; readonly places: readonly EventPlace[]; readonly of: Proof["of"] }> {
  if (event !== undefined && room === undefined) {
    const { n, rest, ...place } = parsePlace(event, 2);
    const lane = await laneWith({ ...place, n }, lanes);
    const [entry = 0, index = 0] = rest;
    const stored = await lane.readAt(n);
    if (stored !== undefined) assertHolds(decodeCommit(stored.bytes), { n, entry, event: index });
    return { lane, places: [{ n, entry, event: index }], of: { event } };
  }
  if (event !== undefined || room === undefined || from === undefined || to === undefined)
    throw new BadSetting("Say what to prove: --event LANE:COMMIT:ENTRY:EVENT, or --room ID --from S --to S.");
  assertRange(from, to);
  const roomLanes = lanes.filter(({ id }) => id.startsWith("rooms."));
  const lane = roomLanes.find(({ id }) => id === laneOf("rooms", room, roomLanes.length));
  if (lane === undefined) throw new Error("every room has a lane");
  return { lane, places: await placesOfRoom(lane, { room, from, to }, signal), of: { room, from, to } };
}
