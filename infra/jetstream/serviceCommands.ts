import { type Command, type CommandReply, pause } from "@connect-hub/domain/kernel";
import { isRetryable, type LaneId } from "@connect-hub/domain/values";
import type { NatsLink } from "./connectNats.ts";
import { systemCommands } from "./systemCommands.ts";

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
  const closing = new AbortController();
  const commands = systemCommands(link, { prefix, lanes: [lane], actor, onMalformed: (what) => onTrouble?.(what) });
  return {
    async send({ id, ...rest }, signal) {
      const ended = AbortSignal.any([signal, closing.signal]);
      for (let pauseMs = firstPauseMs; !ended.aborted; pauseMs = Math.min(pauseMs * 2, maxPauseMs)) {
        const command = { key: { actor, id }, ...rest, deadlineAt: Date.now() + deadlineMs };
        const reply = await commands.send(lane.id, command);
        if (!("refused" in reply) || !isRetryable(reply.refused.code)) return reply;
        onTrouble?.(`${command.kind} is sent again: ${reply.refused.code}`);
        await pause(pauseMs, ended);
      }
      return undefined;
    },
    close() {
      closing.abort();
      commands.close();
    },
  };
}
