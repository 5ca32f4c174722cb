import type { Json } from "../values/json.ts";
import type { Refusal } from "../values/rejections.ts";
import { commitLimits } from "./commit.ts";
import { type Accepted, type DecideScope, decidePending } from "./decidePending.ts";
import type { PendingCommand } from "./pendingCommand.ts";

/** A command whose answer needs no entry; it is told once this writer is known to lead still. */
export interface Held {
  readonly pending: PendingCommand;
  readonly reply: { readonly refused: Refusal } | { readonly result: Json };
}

/** What becomes of the commands that a writer holds, when their turn comes. */
export interface Round {
  readonly accepted: readonly Accepted[];
  readonly held: readonly Held[];
  /** Those that stay, in their order. */
  readonly waiting: readonly PendingCommand[];
  /** Those of `waiting` that need something first: facts, or the vault keys of these names. */
  readonly again: readonly { readonly pending: PendingCommand; readonly keyNames: readonly string[] }[];
}

/** Decides what is ready, one after another, as much as one commit takes. Commands of one order never overtake each other. */
export function decideRound(all: readonly PendingCommand[], scope: DecideScope): Round {
  const accepted: Accepted[] = [];
  const held: Held[] = [];
  const waiting: PendingCommand[] = [];
  const again: { pending: PendingCommand; keyNames: readonly string[] }[] = [];
  const blocked = new Set<string>();
  let bytes = 0;
  let full = false;
  const wait = (pending: PendingCommand): void => {
    waiting.push(pending);
    if (pending.order !== undefined) blocked.add(pending.order);
  };
  for (const pending of all) {
    if (full || !pending.ready || (pending.order !== undefined && blocked.has(pending.order))) {
      wait(pending);
      continue;
    }
    const outcome = decidePending(pending, scope);
    if ("again" in outcome) {
      again.push({ pending, keyNames: outcome.again });
      wait(pending);
      continue;
    }
    if (!("entry" in outcome)) {
      held.push({ pending, reply: outcome });
      if ("refused" in outcome) scope.refused.add(pending, outcome.refused);
      continue;
    }
    const entryBytes = Buffer.byteLength(outcome.entry) + 1;
    if (bytes + entryBytes > maxEntryBytes && accepted.length > 0) {
      full = true;
      wait(pending);
    } else {
      bytes += entryBytes;
      accepted.push(outcome);
      scope.overlay.apply(outcome.changes);
      scope.done.set(pending.key, { digest: pending.digest, result: outcome.result });
      full = accepted.length >= commitLimits.entries;
    }
  }
  return { accepted, held, waiting, again };
}

/** What the head of a commit may take up is left out. */
const maxEntryBytes = commitLimits.bytes - 1_024;
