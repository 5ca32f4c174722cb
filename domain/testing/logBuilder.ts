import { type CommitHead, encodeCommit, encodeEntry, hashCommit } from "../kernel/commit.ts";
import { derivedId } from "../kernel/derivedId.ts";
import { encodeEpochBegan } from "../kernel/epochBegan.ts";
import type { ContextModel, DomainEvent } from "../kernel/event.ts";
import type { Vault, VaultKey } from "../kernel/ports.ts";
import { keyNamesOf, sealEvent } from "../kernel/sealing.ts";
import { storedDefinition } from "../kernel/versions.ts";
import type { LaneId } from "../values/ids.ts";

export interface LogBuilderOptions {
  readonly lane: LaneId;
  /** 32 hex digits. */
  readonly epoch: string;
  readonly model: ContextModel;
  readonly vault: Vault;
}

/** Makes the commits of a lane one after another, as its writer would, from events that nobody decided. */
export class LogBuilder {
  readonly #options: LogBuilderOptions;
  #epoch: string;
  #n = 0;
  #hash = "";
  #entries = 0;

  constructor(options: LogBuilderOptions) {
    this.#options = options;
    this.#epoch = options.epoch;
  }

  /** The bytes of the commit by which the lane goes on in another epoch, as after a restore; what follows is in that one. */
  beginEpoch(epoch: string): Uint8Array {
    const end = { lane: this.#options.lane, n: this.#n, hash: this.#hash, epoch: this.#epoch, term: 1 };
    this.#n += 1;
    this.#epoch = epoch;
    const bytes = encodeEpochBegan({ ...end, nowMs: startMs + this.#n }, epoch, new Uint8Array(16));
    this.#hash = hashCommit(bytes);
    return bytes;
  }

  /** The bytes of the next commit; one entry for each list of events. `head` replaces what would be right. */
  async commit(entries: readonly (readonly DomainEvent[])[], head: Partial<CommitHead> = {}): Promise<Uint8Array> {
    const { lane, model, vault } = this.#options;
    const events = entries.flat().filter(({ type }) => storedDefinition(type, model) !== undefined);
    await vault.named(events.flatMap((event) => keyNamesOf(event, model)));
    const texts = entries.map((some) => this.#entry(some));
    this.#n += 1;
    const at = new Date(startMs + this.#n).toISOString();
    const right: CommitHead = {
      lane,
      epoch: this.#epoch,
      n: this.#n,
      term: 1,
      writer: "builder",
      prevHash: this.#hash,
      at,
    };
    const bytes = encodeCommit({ ...right, ...head }, texts);
    this.#hash = hashCommit(bytes);
    return bytes;
  }

  #entry(events: readonly DomainEvent[]): string {
    const { model, vault } = this.#options;
    const keyOf = (name: string): VaultKey => {
      const key = vault.cached(name);
      if (key === undefined) throw new Error(`the vault has no key ${name}`);
      return key;
    };
    this.#entries += 1;
    const id = derivedId(startMs + this.#entries, "entry", String(this.#entries));
    const key = { actor: events[0]?.by ?? "system", id };
    const stored = events.map((event) => sealEvent(event, model, keyOf));
    return encodeEntry({
      key,
      kind: "built",
      digest: "d".repeat(64),
      result: { number: this.#entries },
      events: stored,
    });
  }
}

const startMs = Date.parse("2026-01-01T00:00:00.000Z");
