/** A topic that is published to no more often than all its readers can be written to. */
export interface PacedTopic {
  /** Publishes at once, or with what else is gathered until its turn. */
  publish(body: Uint8Array): void;
  /** Publishes what was gathered; before anybody enters or leaves the topic, so that each gets what is theirs. */
  flush(): void;
}

/** Writing to many sockets costs some 7 µs each, however much it is: so long after one turn the next one waits … */
const paceMsPerReader = 0.02;
/** … but not longer than this. */
const maxPaceMs = 25;
/** A pace that would be shorter is not worth a timer. */
const minPaceMs = 2;

/** `readers`: how many there are now. `now`: a clock in milliseconds. */
export function pacedTopic(send: (body: Uint8Array) => void, readers: () => number, now: () => number): PacedTopic {
  let gathered: Uint8Array[] = [];
  let nextTurnAt = 0;
  let timer: NodeJS.Timeout | undefined;

  function sendAll(bodies: readonly Uint8Array[]): void {
    for (const body of bodies) send(body);
    const paceMs = Math.min(readers() * paceMsPerReader, maxPaceMs);
    if (paceMs >= minPaceMs) nextTurnAt = now() + paceMs;
  }

  function flush(): void {
    clearTimeout(timer);
    timer = undefined;
    const bodies = gathered;
    gathered = [];
    if (bodies.length > 0) sendAll(bodies);
  }

  return {
    publish(body) {
      if (gathered.length === 0 && now() >= nextTurnAt) {
        sendAll([body]);
        return;
      }
      gathered.push(body);
      timer ??= setTimeout(flush, Math.max(0, nextTurnAt - now()));
    },
    flush,
  };
}
