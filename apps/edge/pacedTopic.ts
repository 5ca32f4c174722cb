/** Writing to many sockets costs some 7 µs each, however much it is: so long after one turn the next one waits … */
const paceMsPerReader = 0.02;
/** … but not longer than this. */
const maxPaceMs = 25;
/** A pace that would be shorter is not worth a timer. */
const minPaceMs = 2;

/** A topic that is published to no more often than all its readers can be written to. */
export class PacedTopic {
  readonly #send: (body: Uint8Array) => void;
  readonly #readers: () => number;
  readonly #now: () => number;
  /** What waits for its turn, which has a timer then. */
  #gathered: Uint8Array[] | undefined;
  #timer: NodeJS.Timeout | undefined;
  #nextTurnAt = 0;

  /** `readers`: how many there are now. `now`: a clock in milliseconds. */
  constructor(send: (body: Uint8Array) => void, readers: () => number, now: () => number) {
    this.#send = send;
    this.#readers = readers;
    this.#now = now;
  }

  /** Publishes at once, or with what else is gathered until its turn. */
  publish(body: Uint8Array): void {
    if (this.#gathered !== undefined) this.#gathered.push(body);
    else if (this.#now() >= this.#nextTurnAt) this.#sendAll([body]);
    else {
      this.#gathered = [body];
      this.#timer = setTimeout(() => this.flush(), Math.max(0, this.#nextTurnAt - this.#now()));
    }
  }

  /** Publishes what was gathered; before anybody enters or leaves the topic, so that each gets what is theirs. */
  flush(): void {
    const bodies = this.#gathered;
    if (bodies === undefined) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#gathered = undefined;
    this.#sendAll(bodies);
  }

  #sendAll(bodies: readonly Uint8Array[]): void {
    for (const body of bodies) this.#send(body);
    const paceMs = Math.min(this.#readers() * paceMsPerReader, maxPaceMs);
    if (paceMs >= minPaceMs) this.#nextTurnAt = this.#now() + paceMs;
  }
}
