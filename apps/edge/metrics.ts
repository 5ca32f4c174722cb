import type { LaneFollower } from "@connect-hub/domain/kernel";
import { Counter, Gauge, Histogram, Registry } from "prom-client";
import { refusalOf } from "./refusals.ts";
import type { ClientCommand } from "./toCommand.ts";

/** What an edge counts of its own work. */
export interface Metrics {
  published(): void;
  dropped(): void;
  resumed(outcome: "ok" | "reset" | "parked"): void;
  /** Times and counts what `send` does with a command; its answer, or what it throws, goes on. */
  measured<Reply extends object>(
    send: (command: ClientCommand) => Promise<Reply>,
  ): (command: ClientCommand) => Promise<Reply>;
  /** All of it as Prometheus reads it. */
  text(parts: MeasuredParts): Promise<string>;
}

/** What is looked at when somebody asks. */
export interface MeasuredParts {
  readonly sockets: { readonly count: number; all(): readonly { readonly waitingBytes: number }[] };
  readonly feeds: { readonly count: number };
  readonly lanes: { readonly all: readonly Pick<LaneFollower, "lane" | "view">[] };
}

/** How long a lane's head is asked for; of one that does not tell it there is no lag to show. */
const headTimeoutMs = 2_000;
const latencySeconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

export function metrics(): Metrics {
  const register = new Registry();
  const registers = [register];
  const gauge = <L extends string>(name: string, help: string, labelNames: readonly L[] = []) =>
    new Gauge({ name: `hub_edge_${name}`, help, labelNames, registers });
  const counter = <L extends string>(name: string, help: string, labelNames: readonly L[] = []) =>
    new Counter({ name: `hub_edge_${name}_total`, help, labelNames, registers });

  const sockets = gauge("sockets", "Sockets that are signed in.");
  const waiting = gauge("waiting_bytes", "Bytes that are kept for sockets which read too slowly or catch up.");
  const mostWaiting = gauge("waiting_bytes_most", "Of these, those of the socket with the most.");
  const rooms = gauge("rooms", "Rooms that somebody here reads.");
  const lag = gauge("lane_lag", "Commits of a lane that this edge has not taken in yet.", ["lane"]);
  const published = counter("frames_published", "Frames of events, each sent to all who read their room here.");
  const dropped = counter("frames_dropped", "Times that a reader was too slow, and something for it was dropped.");
  const resumes = counter("resumes", "Rooms that clients went on with, by how that ended.", ["outcome"]);
  const commands = counter("commands", "Commands by what became of them: ok, or the name of the error.", [
    "method",
    "outcome",
  ]);
  const seconds = new Histogram({
    name: "hub_edge_command_seconds",
    help: "Time from a command to its answer.",
    labelNames: ["method"],
    buckets: latencySeconds,
    registers,
  });
  // Shown from the start: an alarm on a number that is not there never rings.
  for (const outcome of ["ok", "reset", "parked"]) resumes.inc({ outcome }, 0);

  return {
    published: () => published.inc(),
    dropped: () => dropped.inc(),
    resumed: (outcome) => resumes.inc({ outcome }),
    measured: (send) => async (command) => {
      const { method } = command;
      const end = seconds.startTimer({ method });
      try {
        const reply = await send(command);
        commands.inc({ method, outcome: refusedAs(reply) ?? "ok" });
        return reply;
      } catch (error) {
        commands.inc({ method, outcome: refusalOf(error).wire.name });
        throw error;
      } finally {
        end();
      }
    },
    async text(parts) {
      sockets.set(parts.sockets.count);
      const kept = parts.sockets.all().map(({ waitingBytes }) => waitingBytes);
      waiting.set(kept.reduce((sum, bytes) => sum + bytes, 0));
      mostWaiting.set(kept.reduce((most, bytes) => Math.max(most, bytes), 0));
      rooms.set(parts.feeds.count);
      const heads = await Promise.all(parts.lanes.all.map(headOf));
      lag.reset();
      for (const [at, { lane, view }] of parts.lanes.all.entries()) {
        const head = heads[at];
        if (head !== undefined) lag.set({ lane: lane.id }, Math.max(0, head - view.head));
      }
      return register.metrics();
    },
  };
}

function refusedAs(reply: object): string | undefined {
  return "refused" in reply ? (reply.refused as { readonly code: string }).code : undefined;
}

function headOf({ lane }: Pick<LaneFollower, "lane">): Promise<number | undefined> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, headTimeoutMs, undefined);
    lane
      .lastNumber()
      .then(resolve, () => resolve(undefined))
      .finally(() => clearTimeout(timer));
  });
}
