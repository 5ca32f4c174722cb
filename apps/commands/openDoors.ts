import { serviceCommands } from "@connect-hub/domain/content";
import {
  type Command,
  type CommandReply,
  type Subjects,
  type SystemCommandName,
  serviceOf,
} from "@connect-hub/domain/kernel";
import { commandInputs, type LaneId, type Refusal } from "@connect-hub/domain/values";
import { type NatsLink, serveCommands } from "@connect-hub/jetstream";

export interface DoorOptions {
  readonly names: Subjects;
  readonly lane: LaneId;
  readonly writer: string;
  submit(command: Command, answer: (reply: CommandReply) => void): void;
  onMalformed(what: string): void;
}

/** What the edge may send: what clients may, and the claim of a file that it has taken. */
const edgeCommands: ReadonlySet<string> = new Set([...Object.keys(commandInputs), "claimFile"]);

/** What reactors send, of this instance or another, as the service `system`. */
const reactorCommands: readonly SystemCommandName[] = [
  "evictMember",
  "recordErasure",
  "voidClaim",
  "confirmFile",
  "releaseFile",
];
const commandsOf = new Map<string, readonly string[]>([...serviceCommands, ["system", reactorCommands]]);

/**
 * Opens the two doors of a lane's writer: the edge's, whose word on the actor is taken, and the services', who are who NATS let
 * publish under their name. Reactors come by the second.
 */
export function openDoors(link: NatsLink, options: DoorOptions): { close(): Promise<void> } {
  const { names, lane, writer, submit, onMalformed } = options;
  const edge = serveCommands(link, {
    subject: names.commands(lane, writer),
    onMalformed,
    onCommand: (command, answer) =>
      edgeCommands.has(command.kind) ? submit(command, answer) : answer({ refused: { code: "UnknownMethod" } }),
  });
  const services = serveCommands(link, {
    subject: names.services("*", lane, writer),
    onMalformed,
    onCommand(command, answer, subject) {
      const sent = fromService(command, serviceOf(subject));
      if ("code" in sent) answer({ refused: sent });
      else submit(sent, answer);
    },
  });
  return { close: async () => void (await Promise.all([edge.close(), services.close()])) };
}

/** The command as that service sent it, whatever it says of its actor; or why it may not. */
function fromService(command: Command, service: string): Command | Refusal {
  if (!commandsOf.get(service)?.includes(command.kind)) return { code: "NotAllowed" };
  return { ...command, key: { ...command.key, actor: service } };
}
