/** A chat as the bench sees it: ours, or the plain one that it is held against. */
export interface Chat {
  /** Its rooms. */
  readonly rooms: readonly ChatRoom[];
  /** Resolves when the client runs live. With `from` it gets what it missed. */
  open(person: number, options?: OpenOptions): Promise<ChatClient>;
  /** Resolves when nothing of what was acknowledged is left to do. */
  settled(): Promise<void>;
  /** CPU seconds that all of its server processes have used. */
  cpuSeconds(): number;
  close(): Promise<void>;
}

/** A room and the people in it, who are named by their number, from 0 on. */
export interface ChatRoom {
  readonly id: string;
  readonly people: readonly number[];
}

/** How to open a client. */
export interface OpenOptions {
  /** Where the person's last client was. */
  readonly from?: ChatCursor | undefined;
  /** Told of each message that comes. */
  readonly onMessage?: ((text: string) => void) | undefined;
}

/** The last number that a client has of each room, and what else its chat wants to know. */
export type ChatCursor = ReadonlyMap<string, { readonly number: number; readonly epoch: string }>;

/** A person's socket. */
export interface ChatClient {
  /** What came since it was opened. */
  readonly tally: Tally;
  cursor(): ChatCursor;
  /** Sends a message and resolves with its number when it is stored. */
  post(room: string, text: string): Promise<number>;
  /** The numbers of the `limit` messages before a number, or of the last ones, ascending. */
  page(room: string, before: number | undefined, limit: number): Promise<readonly number[]>;
  /** Resolves when so many messages have come. */
  has(count: number): Promise<void>;
  close(): void;
}

/** Counts messages, and tells whether they are those that were sent. */
export class Tally {
  count = 0;
  /** Of the numbers of all messages. */
  sum = 0;
  /** Messages that came after a later one of their room, or where one is missing. */
  misordered = 0;
  #waiting: { readonly count: number; readonly wake: () => void }[] = [];

  take(number: number, isInOrder: boolean): void {
    this.count += 1;
    this.sum += number;
    if (!isInOrder) this.misordered += 1;
    if (this.#waiting.length === 0) return;
    for (const { count, wake } of this.#waiting) if (this.count >= count) wake();
    this.#waiting = this.#waiting.filter(({ count }) => this.count < count);
  }

  has(count: number): Promise<void> {
    if (this.count >= count) return Promise.resolve();
    return new Promise((wake) => this.#waiting.push({ count, wake }));
  }
}
