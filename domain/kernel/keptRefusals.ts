import { Id } from "../values/ids.ts";
import { isRetryable, type Refusal } from "../values/rejections.ts";
import type { PendingCommand } from "./pendingCommand.ts";

/**
 * Commands that were refused for good, in memory: a copy that comes later is told the same, whatever has become possible
 * since. A writer that takes the lane over knows nothing of them.
 */
export class KeptRefusals {
  readonly #max: number;
  readonly #refusals = new Map<string, Refusal>();

  /** `max`: how many are kept; beyond it the oldest is forgotten. */
  constructor(max: number) {
    this.#max = max;
  }

  get(pending: PendingCommand): Refusal | undefined {
    return this.#refusals.get(nameOf(pending));
  }

  /** Keeps what a command was told, if that is to stay. */
  add(pending: PendingCommand, refusal: Refusal): void {
    if (isRetryable(refusal.code) || mayComeAgain(pending)) return;
    this.#refusals.set(nameOf(pending), refusal);
    if (this.#refusals.size <= this.#max) return;
    const [oldest] = this.#refusals.keys();
    if (oldest !== undefined) this.#refusals.delete(oldest);
  }
}

/** Other data under the same key is another command, as long as nothing was done under it. */
const nameOf = ({ key, digest }: PendingCommand): string => `${key}|${digest}`;

/** Whether the same command may be done later: reactors and services send theirs until they are done, and a digest says nothing of a password. */
function mayComeAgain({ command, definition }: PendingCommand): boolean {
  const isByPerson = Id.safeParse(command.key.actor).success;
  return !isByPerson || definition.secretFields.length > 0;
}
