import {
  type Command,
  type CommandReply,
  type Numbered,
  packCommands,
  unpackReplies,
} from "@connect-hub/domain/kernel";
import type { Msg, Subscription } from "@nats-io/nats-core";
import { guarded, perTurn } from "./callbacks.ts";
import type { NatsLink } from "./connectNats.ts";
import { localDoor } from "./localDoors.ts";

/** Sends commands to the lanes' writers. */
export interface CommandSender {
  /**
   * Sends `command` to `subject`, together with all that this turn of the event loop gives for it. Never rejects.
   * `Unavailable`: nobody takes commands there, or the connection was lost before an answer came. `DeadlinePassed`: no
   * answer came in time. `LaneMoved`: see `abandon`. With all three the command may or may not have been done: the same command, sent again, tells.
   */
  send(subject: string, command: Command): Promise<CommandReply>;
  /**
   * Answers what is for `subject` and still open with `LaneMoved`: call it when the log shows that another writer
   * took over, so that the one behind `subject` can't append any more.
   */
  abandon(subject: string): void;
  /** Answers what is open with `Unavailable` and takes nothing more. */
  close(): void;
}

export interface CommandSenderOptions {
  /** Hears of answers that are none; they are dropped. */
  readonly onMalformed: (what: string) => void;
  /** Hears of what kept commands from being sent; they are answered with `Internal`. */
  readonly onBug?: (error: unknown) => void;
  /** How long after a command's deadline its answer is still waited for. 500 if left out. */
  readonly graceMs?: number;
  /** The clock by which commands have their deadlines; this machine's if left out. */
  readonly now?: () => number;
  /** Whether a writer in this process is given its commands past NATS: the same bytes, for less. False if left out. */
  readonly isLocal?: () => boolean;
}

interface Waiting {
  readonly subject: string;
  readonly command: Command;
  /** The number of the message that it went out with; 0 before. */
  message: number;
  readonly giveUpAt: number;
  /** When it goes out once more; infinity when it has. */
  againAt: number;
  readonly answer: (reply: CommandReply) => void;
}

const sweepMs = 100;
/** After so long without an answer a command goes out once more: it, or its answer, may have been lost. Its key keeps it from being done twice. */
const againMs = 2_000;
const unavailable: CommandReply = { refused: { code: "Unavailable" } };
const laneMoved: CommandReply = { refused: { code: "LaneMoved" } };
const deadlinePassed: CommandReply = { refused: { code: "DeadlinePassed" } };
const internal: CommandReply = { refused: { code: "Internal" } };

/** One sender serves a whole process: one inbox, one subscription, one timer. */
export function commandSender(link: NatsLink, options: CommandSenderOptions): CommandSender {
  return new NatsCommandSender(link, options);
}

class NatsCommandSender implements CommandSender {
  readonly #waiting = new Map<number, Waiting>();
  #lastC = 0;
  #lastMessage = 0;
  #isClosed = false;
  readonly #link: NatsLink;
  readonly #options: CommandSenderOptions;
  readonly #inbox: string;
  readonly #subscription: Subscription;
  readonly #stopListening: () => void;
  #sweeping: NodeJS.Timeout | undefined;
  readonly #now: () => number;
  readonly #gather = perTurn<Numbered<Command>>((subject, commands) => this.#trySendAll(subject, commands));

  constructor(link: NatsLink, options: CommandSenderOptions) {
    this.#link = link;
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#inbox = link.newInbox();
    const receive = guarded((message: Msg) => this.#receive(message));
    this.#subscription = link.nc.subscribe(`${this.#inbox}.*`, {
      callback: (error, message) => {
        if (error === null) receive(message);
      },
    });
    // An answer that was on its way is lost with the connection.
    this.#stopListening = link.onEvent((event) => {
      if (event.type === "disconnected" || event.type === "closed") this.#answerAll(({ message }) => message > 0);
    });
  }

  send(subject: string, command: Command): Promise<CommandReply> {
    if (this.#isClosed) return Promise.resolve(unavailable);
    this.#lastC += 1;
    const c = this.#lastC;
    this.#gather(subject, [c, command]);
    this.#sweeping ??= setInterval(() => this.#sweep(), sweepMs);
    const giveUpAt = command.deadlineAt + (this.#options.graceMs ?? 500);
    const againAt = this.#now() + againMs;
    return new Promise((answer) => {
      this.#waiting.set(c, { subject, command, message: 0, giveUpAt, againAt, answer });
    });
  }

  abandon(subject: string): void {
    this.#answerAll((waiting) => waiting.subject === subject, laneMoved);
  }

  close(): void {
    this.#isClosed = true;
    this.#stopListening();
    this.#subscription.unsubscribe();
    this.#answerAll(() => true);
    clearInterval(this.#sweeping);
  }

  /** Runs in a turn of its own, where what is thrown would end the process. */
  #trySendAll(subject: string, commands: readonly Numbered<Command>[]): void {
    try {
      this.#sendAll(subject, commands);
    } catch (error) {
      for (const [c] of commands) this.#settle(c, internal);
      this.#options.onBug?.(error);
    }
  }

  #sendAll(subject: string, commands: readonly Numbered<Command>[]): void {
    if (!this.#link.connected || this.#isClosed) {
      for (const [c] of commands) this.#settle(c, unavailable);
      return;
    }
    const door = this.#options.isLocal?.() ? localDoor(subject) : undefined;
    for (const { bytes, numbers } of packCommands(commands)) {
      this.#lastMessage += 1;
      for (const c of numbers) {
        const waiting = this.#waiting.get(c);
        if (waiting === undefined) continue;
        waiting.message = this.#lastMessage;
        // Nothing is lost on the way to a door of this process.
        if (door !== undefined) waiting.againAt = Number.POSITIVE_INFINITY;
      }
      if (door !== undefined) door(bytes, (c, reply) => this.#settle(c, reply));
      else this.#link.nc.publish(subject, bytes, { reply: `${this.#inbox}.${this.#lastMessage}` });
    }
  }

  /** For the same inbox, by which the writer sees that it has it already. */
  #sendAgain(c: number, { subject, command, message }: Waiting): void {
    for (const { bytes } of packCommands([[c, command]]))
      this.#link.nc.publish(subject, bytes, { reply: `${this.#inbox}.${message}` });
  }

  #receive(message: Msg): void {
    if (message.data.length === 0 && message.headers?.code === 503) {
      const number = Number(message.subject.slice(this.#inbox.length + 1));
      this.#answerAll((waiting) => waiting.message === number);
      return;
    }
    const { items, malformed } = unpackReplies(message.data);
    if (malformed > 0) this.#options.onMalformed(`${malformed} malformed answer(s)`);
    for (const [c, reply] of items) this.#settle(c, reply);
  }

  #settle(c: number, reply: CommandReply): void {
    this.#waiting.get(c)?.answer(reply);
    this.#waiting.delete(c);
  }

  #answerAll(which: (waiting: Waiting) => boolean, reply: CommandReply = unavailable): void {
    for (const [c, waiting] of this.#waiting) if (which(waiting)) this.#settle(c, reply);
  }

  #sweep(): void {
    const now = this.#now();
    for (const [c, waiting] of this.#waiting) {
      if (now >= waiting.giveUpAt) this.#settle(c, deadlinePassed);
      else if (now >= waiting.againAt) {
        waiting.againAt = Number.POSITIVE_INFINITY;
        if (waiting.message > 0 && this.#link.connected) this.#sendAgain(c, waiting);
      }
    }
    if (this.#waiting.size > 0) return;
    clearInterval(this.#sweeping);
    this.#sweeping = undefined;
  }
}
