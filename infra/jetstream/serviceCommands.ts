import { type Command, type CommandReply, decodeBeat, pause, subjects } from "@connect-hub/domain/kernel";
import { isRetryable, type LaneId } from "@connect-hub/domain/values";
import { commandSender } from "./commandSender.ts";
import type { NatsLink } from "./connectNats.ts";
import { subscribeLive } from "./liveBus.ts";
import { writers } from "./writers.ts";

/** A command of a service: who sends it follows from where it is sent. */
export type ServiceCommand = Pick<Command, "kind" | "subject" | "data"> & {
  /** A UUIDv7; the same for the same command at any time. */
  readonly id: string;
};

/** Sends what one service of the system wants done on one lane. */
export interface ServiceCommands {
  /**
   * Sends `command` to whoever writes the lane, again and again, until the answer is one that stays. Undefined when `signal`
   * aborted first; it may have been done then.
   */
  send(command: ServiceCommand, signal: AbortSignal): Promise<CommandReply | undefined>;
  close(): void;
}

export interface ServiceCommandsOptions {
  readonly prefix: string;
  readonly lane: { readonly id: LaneId; readonly epoch: string };
  /** The name of the service; its user of NATS may send as no other. */
  readonly actor: "placement" | "operator";
  /** Hears why a command is sent again, and of answers that are none. */
  onTrouble?(what: string): void;
}

const deadlineMs = 5_000;
const firstPauseMs = 50;
const maxPauseMs = 2_000;

export function serviceCommands(link: NatsLink, options: ServiceCommandsOptions): ServiceCommands {
  const { prefix, lane, actor, onTrouble } = options;
  const names = subjects(prefix);
  const closing = new AbortController();
  const sender = commandSender(link, { onMalformed: (what) => onTrouble?.(what) });
  const known = writers(
    () => performance.now(),
    (_, former) => sender.abandon(names.services(actor, lane.id, former)),
  );
  const beats = subscribeLive(link, names.beat(lane.id), ({ body }) => {
    const beat = decodeBeat(body);
    if (beat?.lane === lane.id && beat.epoch === lane.epoch) known.heard(beat);
  });

  async function sendOnce({ id, ...rest }: ServiceCommand): Promise<CommandReply> {
    const writer = known.of(lane.id);
    if (writer === undefined) return { refused: { code: "Unavailable" } };
    const command = { key: { actor, id }, ...rest, deadlineAt: Date.now() + deadlineMs };
    return sender.send(names.services(actor, lane.id, writer), command);
  }

  return {
    async send(command, signal) {
      const ended = AbortSignal.any([signal, closing.signal]);
      for (let pauseMs = firstPauseMs; !ended.aborted; pauseMs = Math.min(pauseMs * 2, maxPauseMs)) {
        const reply = await sendOnce(command);
        if (!("refused" in reply) || !isRetryable(reply.refused.code)) return reply;
        onTrouble?.(`${command.kind} is sent again: ${reply.refused.code}`);
        await pause(pauseMs, ended);
      }
      return undefined;
    },
    close() {
      closing.abort();
      beats.unsubscribe();
      sender.close();
    },
  };
}
