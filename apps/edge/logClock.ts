/**
 * The time as the log has it, by which writers judge deadlines and keys. This machine's clock may be wrong, or be set; between two looks
 * at the log a clock that never goes back counts on.
 */
export interface LogClock {
  /** In milliseconds; before the first look, what this machine's clock says. */
  now(): number;
  /** Asks the log. Throws what `read` throws; then it counts on as before. */
  look(): Promise<void>;
}

/** An answer that took longer than this says little about when it was true. */
const maxAnswerMs = 500;

export interface ClockSources {
  /** Never goes back. */
  readonly steady: () => number;
  readonly wall: () => number;
}

const processClocks: ClockSources = { steady: () => performance.now(), wall: Date.now };

/** `read`: the log's time now, in milliseconds. */
export function logClock(read: () => Promise<number>, { steady, wall }: ClockSources = processClocks): LogClock {
  /** The log's time when the steady clock was at 0. */
  let origin: number | undefined;
  return {
    now: () => Math.round(origin === undefined ? wall() : origin + steady()),
    async look() {
      const asked = steady();
      const time = await read();
      const answered = steady();
      if (origin === undefined || answered - asked <= maxAnswerMs) origin = time - (asked + answered) / 2;
    },
  };
}
