import {
  type Command,
  type CommandReply,
  type Numbered,
  packReplies,
  unpackCommands,
} from "@connect-hub/domain/kernel";
import type { Msg } from "@nats-io/nats-core";
import { guarded, perTurn } from "./callbacks.ts";
import type { NatsLink } from "./connectNats.ts";
import { openLocalDoor } from "./localDoors.ts";

export interface ServeOptions {
  /** Where this writer takes its lane's commands: `subjects(prefix).commands(lane, writer)`, or `services` for any. */
  readonly subject: string;
  /** Is given each command, and the subject that it came by; `answer` is called once, at any later time. */
  readonly onCommand: (command: Command, answer: (reply: CommandReply) => void, subject: string) => void;
  /** Hears of messages that hold no command; they are dropped. */
  readonly onMalformed: (what: string) => void;
}

const drainMs = 500;

/**
 * Takes commands, from NATS and from this process. The answers of one turn of the event loop go out as one message to each sender. After
 * `close` nothing new is taken, but answers still go out.
 */
export function serveCommands(link: NatsLink, options: ServeOptions): { close(): Promise<void> } {
  const reply = perTurn<Numbered<CommandReply>>((inbox, replies) => {
    if (!link.connected) return;
    for (const { bytes } of packReplies(replies)) link.nc.publish(inbox, bytes);
    // The answers of a commit come at once, and its frames with them: so all of it is one write to the socket.
  }, queueMicrotask);
  /** The commands that are not answered yet, by inbox and number: who waits long sends once more. */
  const open = new Set<string>();
  const unpack = (bytes: Uint8Array, subject: string): readonly Numbered<Command>[] => {
    const { items, malformed } = unpackCommands(bytes);
    if (malformed > 0) options.onMalformed(`${malformed} malformed command(s) on ${subject}`);
    return items;
  };
  const handle = guarded((message: Msg) => {
    const inbox = message.reply ?? "";
    const items = unpack(message.data, message.subject);
    // This process may publish to the log: an answer must never go anywhere but to somebody who waits for it.
    if (!inbox.startsWith("_INBOX")) {
      options.onMalformed(`a message on ${message.subject} that wants its answer on "${inbox}", which is no inbox`);
      return;
    }
    for (const [c, command] of items) {
      const name = `${inbox} ${c}`;
      if (open.has(name)) continue;
      open.add(name);
      const answer = (given: CommandReply): void => {
        open.delete(name);
        reply(inbox, [c, given]);
      };
      options.onCommand(command, answer, message.subject);
    }
  });
  const closeLocal = openLocalDoor(options.subject, (bytes, answer) => {
    for (const [c, command] of unpack(bytes, options.subject))
      options.onCommand(command, (given) => answer(c, given), options.subject);
  });
  const subscription = link.nc.subscribe(options.subject, {
    callback: (error, message) => {
      if (error === null) handle(message);
    },
  });
  return {
    async close() {
      closeLocal();
      if (subscription.isClosed()) return;
      const drained = link.connected ? subscription.drain().catch(() => undefined) : Promise.resolve();
      let timer: NodeJS.Timeout | undefined;
      const patience = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, drainMs);
      });
      await Promise.race([drained, patience]);
      clearTimeout(timer);
      subscription.unsubscribe();
    },
  };
}
