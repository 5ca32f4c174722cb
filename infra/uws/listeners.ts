import { setImmediate as nextTurn } from "node:timers/promises";

/** What listens with one certificate, or none, and the connections that it took. */
export interface Listener {
  publish(topic: string, message: Uint8Array): void;
  /** Whether a socket is open or a request under way. */
  isBusy(): boolean;
  stopListening(): void;
  /** Ends when all requests are answered, at the latest after `graceMs`. */
  allAnswered(graceMs: number): Promise<void>;
  /** Cuts every connection. */
  close(): void;
}

/** One listener that takes what is new, and those before it whose connections go on (`docs/adr/0018-tls.md`). */
export class Listeners {
  #current: Listener;
  #former: readonly Listener[] = [];
  #isListening = true;

  constructor(first: Listener) {
    this.#current = first;
  }

  /** Reaches the sockets of all. */
  publish(topic: string, message: Uint8Array): void {
    this.#current.publish(topic, message);
    for (const listener of this.#former) listener.publish(topic, message);
  }

  /** `next` listens already; from here on it alone does. */
  async replaceBy(next: Listener): Promise<void> {
    const before = this.#current;
    this.#former = [...this.#former.filter(closeIfIdle), before];
    this.#current = next;
    if (!this.#isListening) return next.stopListening();
    // Who connected to the one before is taken by it in a whole turn of the loop; stopped at once, it would reset them.
    await nextTurn();
    await nextTurn();
    before.stopListening();
  }

  stopListening(): void {
    this.#isListening = false;
    for (const listener of this.#all()) listener.stopListening();
  }

  async close(graceMs: number): Promise<void> {
    this.stopListening();
    await Promise.all(this.#all().map((listener) => listener.allAnswered(graceMs)));
    for (const listener of this.#all()) listener.close();
  }

  #all(): readonly Listener[] {
    return [...this.#former, this.#current];
  }
}

/** Whether it is still needed; what is not has nothing but connections on which nobody asks. */
function closeIfIdle(listener: Listener): boolean {
  if (listener.isBusy()) return true;
  listener.close();
  return false;
}
