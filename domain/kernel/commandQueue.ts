import type { Refusal } from "../values/rejections.ts";
import type { CommandReply } from "./command.ts";
import type { CommandPreparer } from "./commandPreparer.ts";
import type { PendingCommand } from "./pendingCommand.ts";
import type { Vault } from "./ports.ts";

export interface CommandQueueParts {
  readonly preparer: CommandPreparer;
  readonly vault: Vault;
  /** Something may be decided now. */
  onReady(): void;
  /** What a command is told when what it needs could not be had. */
  refusalFor(error: unknown): Refusal;
}

/** The commands that a writer has taken, in the order in which they came: made ready one by one, each answered once. */
export class CommandQueue {
  readonly #parts: CommandQueueParts;
  #waiting: PendingCommand[] = [];

  constructor(parts: CommandQueueParts) {
    this.#parts = parts;
  }

  /** Those that are in no round. */
  get waiting(): readonly PendingCommand[] {
    return this.#waiting;
  }

  get hasReady(): boolean {
    return this.#waiting.some(({ ready }) => ready);
  }

  add(pending: PendingCommand): void {
    this.#waiting.push(pending);
    this.#advance(pending);
  }

  /** All but these go into a round: the caller settles them. */
  keep(waiting: readonly PendingCommand[]): void {
    this.#waiting = [...waiting];
  }

  /** Something that the decision wants is not in memory: fetches it and tries again. */
  retry(pending: PendingCommand, keyNames: readonly string[]): void {
    pending.ready = false;
    const fetched = keyNames.length === 0 ? Promise.resolve() : this.#parts.vault.named(keyNames);
    fetched.then(
      () => this.#advance(pending),
      (error: unknown) => this.#refuse(pending, this.#parts.refusalFor(error)),
    );
  }

  /** Answers commands of a round. */
  settle(pending: PendingCommand, reply: CommandReply): void {
    this.#parts.preparer.release(pending);
    pending.answer(reply);
  }

  /** Refuses those that wait, or those among them that could be decided. */
  refuse(refusal: Refusal, which: "all" | "ready" = "all"): void {
    const all = this.#waiting;
    this.#waiting = which === "all" ? [] : all.filter(({ ready }) => !ready);
    const refused = which === "all" ? all : all.filter(({ ready }) => ready);
    for (const pending of refused) this.settle(pending, { refused: refusal });
  }

  /** Makes known what the command needs; without waiting when all is in memory. */
  #advance(pending: PendingCommand): void {
    const { preparer, onReady, refusalFor } = this.#parts;
    if (preparer.isPrepared(pending)) {
      pending.ready = true;
      onReady();
      return;
    }
    preparer.prepare(pending).then(
      (refusal) => {
        pending.ready = true;
        if (refusal === undefined) onReady();
        else this.#refuse(pending, refusal);
      },
      (error: unknown) => this.#refuse(pending, refusalFor(error)),
    );
  }

  /** Unless it was answered meanwhile. */
  #refuse(pending: PendingCommand, refusal: Refusal): void {
    const at = this.#waiting.indexOf(pending);
    if (at === -1) return;
    this.#waiting.splice(at, 1);
    this.settle(pending, { refused: refusal });
    this.#parts.onReady();
  }
}
