import { type Command, type CommandReply, decodeBeat, subjects } from "@connect-hub/domain/kernel";
import type { LaneId } from "@connect-hub/domain/values";
import { commandSender } from "./commandSender.ts";
import type { NatsLink } from "./connectNats.ts";
import { subscribeLive } from "./liveBus.ts";
import { writers } from "./writers.ts";

/** Sends what the system itself wants done, to whoever writes the lane, in whatever process. */
export interface SystemCommands {
  /**
   * Sends `command` once. Never rejects. `Unavailable`, `LaneMoved`, `DeadlinePassed`: it may or may not have been done; the same
   * command, sent again, tells.
   */
  send(lane: LaneId, command: Command): Promise<CommandReply>;
  close(): void;
}

export interface SystemCommandsOptions {
  readonly prefix: string;
  readonly lanes: readonly { readonly id: LaneId; readonly epoch: string }[];
  /** The name of the service, or `system` for the reactors; its user of NATS may send as no other. */
  readonly actor: "placement" | "operator" | "system";
  /** Hears of answers that are none. */
  onMalformed(what: string): void;
}

export function systemCommands(link: NatsLink, options: SystemCommandsOptions): SystemCommands {
  const { prefix, lanes, actor, onMalformed } = options;
  const names = subjects(prefix);
  const sender = commandSender(link, { onMalformed });
  const known = writers(
    () => performance.now(),
    (lane, former) => sender.abandon(names.services(actor, lane, former)),
  );
  const beats = lanes.map((lane) =>
    subscribeLive(link, names.beat(lane.id), ({ body }) => {
      const beat = decodeBeat(body);
      if (beat?.lane === lane.id && beat.epoch === lane.epoch) known.heard(beat);
    }),
  );
  return {
    async send(lane, command) {
      const writer = known.of(lane);
      if (writer === undefined) return { refused: { code: "Unavailable" } };
      return sender.send(names.services(actor, lane, writer), command);
    },
    close() {
      for (const beat of beats) beat.unsubscribe();
      sender.close();
    },
  };
}
