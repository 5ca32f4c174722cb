import { CommandId } from "../values/ids.ts";
import { limits } from "../values/limits.ts";
import type { Refusal } from "../values/rejections.ts";
import { appendSurely } from "./appendSurely.ts";
import { BeatGatherer, encodeBeat } from "./beat.ts";
import type { Command, CommandDefinition, CommandReply } from "./command.ts";
import { issuesOf, tokenAt, told } from "./commandAnswers.ts";
import { CommandPreparer, refusalOf } from "./commandPreparer.ts";
import { CommandQueue } from "./commandQueue.ts";
import { type CommitHead, encodeCommit, hashCommit } from "./commit.ts";
import type { Accepted, DecideScope } from "./decidePending.ts";
import { decideRound, type Held } from "./decideRound.ts";
import type { Table } from "./fact.ts";
import { type FactView, weightOf } from "./factView.ts";
import { Gathering } from "./gathering.ts";
import { KeptRefusals } from "./keptRefusals.ts";
import { KeyWindow } from "./keyWindow.ts";
import type { LaneWriterOptions } from "./laneWriterOptions.ts";
import { Overlay } from "./overlay.ts";
import { pause } from "./pause.ts";
import { isOfLane, type PendingCommand, pendingCommand } from "./pendingCommand.ts";
import { EpochOver, FactsOfAnotherVersion } from "./ports.ts";
import { publishFrames } from "./publishFrames.ts";
import { stepSent } from "./steps.ts";
import { checkClock, type Taken, TakeOverFailed, takeOver, type WriterPosition } from "./takeOver.ts";

/** The one writer of a lane: gathers commands while an append is under way, decides them in order, commits them together. */
export class LaneWriter {
  readonly #options: LaneWriterOptions;
  readonly #view: FactView;
  readonly #term: number;
  readonly #keys: KeyWindow;
  readonly #refusals: KeptRefusals;
  readonly #queue: CommandQueue;
  readonly #beats: BeatGatherer;
  readonly #gathering = new Gathering(() => {
    if (this.#queue.hasReady) this.#wake();
  });
  readonly #tables: ReadonlyMap<string, Table>;
  readonly #stop = new AbortController();
  readonly #timers: NodeJS.Timeout[];
  #at: WriterPosition;
  #state: "leading" | "draining" | "lost" = "leading";
  #woken = false;
  #committing: Promise<void> | undefined;

  /** Takes the lane over. Throws `TakeOverFailed`, `LogUnavailable`, `FactsUnavailable` or `VaultUnavailable`. */
  static async start(options: LaneWriterOptions, signal: AbortSignal): Promise<LaneWriter> {
    const view = {
      ...(options.cacheRows && { cacheRows: options.cacheRows }),
      ...(options.maxTailEvents && { maxTailEvents: options.maxTailEvents }),
      ...(options.behindTimeoutMs && { behindTimeoutMs: options.behindTimeoutMs }),
    };
    const taken = await takeOver({ ...options, signal, view });
    return new LaneWriter(options, taken);
  }

  private constructor(options: LaneWriterOptions, taken: Taken & { readonly view: FactView }) {
    this.#options = options;
    this.#view = taken.view;
    this.#term = taken.term;
    this.#at = taken.at;
    this.#tables = new Map(options.model.tables.map((table) => [table.name, table]));
    this.#keys = new KeyWindow(taken.beforeMs, { maxKeys: options.maxKeys ?? 200_000, aheadMs: limits.idAheadMs });
    this.#refusals = new KeptRefusals(options.maxRefusals ?? 20_000);
    this.#queue = new CommandQueue({
      preparer: new CommandPreparer({ ...options, foreign: options.foreign, view: this.#view, keys: this.#keys }),
      vault: options.vault,
      onReady: () => this.#wake(),
      refusalFor: (error) => this.#refusalFor(error),
    });
    this.#beats = new BeatGatherer(taken.at.n);
    this.#timers = [
      setInterval(() => this.#beat(), options.beatMs ?? 1_000),
      setInterval(() => void this.#moveFloor(), floorPollMs),
      setInterval(() => void this.#checkStanding(), standingCheckMs),
    ];
    this.#beat();
  }

  /** The id by which commands reach this writer. */
  get id(): string {
    return this.#options.writer;
  }

  /** The lane's head and the read tables' checkpoint, as this writer knows them. */
  get position(): { readonly head: number; readonly floor: number; readonly term: number } {
    return { head: this.#at.n, floor: this.#view.floor, term: this.#term };
  }

  /** Takes a command; `answer` is called once, when its outcome is certain, or with a retryable refusal. */
  submit(command: Command, answer: (reply: CommandReply) => void): void {
    const refusal = this.#refusalAtTheDoor(command);
    if (refusal !== undefined) {
      answer({ refused: refusal });
      return;
    }
    const { hashes, commands, lane } = this.#options;
    const definition = commands[command.kind] as CommandDefinition;
    const checked = definition.input.safeParse(command.data);
    if (!checked.success) {
      answer({ refused: { code: "BadInput", detail: issuesOf(checked.error) } });
      return;
    }
    const parts = { lane: lane.id, hashes, answer };
    this.#queue.add(pendingCommand({ ...command, data: checked.data }, definition, parts));
  }

  /** Gives the lane up: somebody else was seen to have it. Open commands are to be sent again. */
  stepDown(reason: string): void {
    this.#end(reason);
  }

  /** Answers what it has, then lets the lane go. */
  async close(): Promise<void> {
    if (this.#state === "leading") this.#state = "draining";
    const giveUpAt = Date.now() + drainMs;
    while (this.#state === "draining" && Date.now() < giveUpAt) {
      if (this.#queue.waiting.length === 0 && this.#committing === undefined) break;
      await pause(5);
    }
    this.#end("the writer was stopped");
    await this.#committing;
  }

  #refusalAtTheDoor(command: Command): Refusal | undefined {
    const { lane, commands, maxPending = 10_000 } = this.#options;
    if (this.#state !== "leading") return { code: "LaneMoved" };
    if (this.#queue.waiting.length >= maxPending || this.#view.isFull) return busy;
    if (!isOfLane(commands[command.kind], lane.id)) return { code: "UnknownMethod" };
    if (!CommandId.safeParse(command.key.id).success) return { code: "BadInput", detail: "the key must be a UUIDv7" };
    return undefined;
  }

  #wake(): void {
    if (this.#woken || this.#committing !== undefined) return;
    if (this.#gathering.expectsMore(this.#queue.waiting.length)) return;
    this.#gathering.end();
    this.#woken = true;
    setImmediate(() => {
      this.#woken = false;
      if (this.#committing !== undefined || this.#state === "lost") return;
      this.#committing = this.#commitReady().finally(() => {
        this.#committing = undefined;
        if (this.#queue.hasReady) this.#wake();
      });
    });
  }

  /** Decides all that is ready, one after another, and makes it one commit. */
  async #commitReady(): Promise<void> {
    // It became full while they waited.
    if (this.#view.isFull) return this.#queue.refuse(busy, "ready");
    const atMs = Math.max(this.#options.now(), this.#at.atMs);
    const n = this.#at.n + 1;
    const { lane } = this.#options;
    const scope: DecideScope = {
      ...this.#options,
      view: this.#view,
      overlay: new Overlay(this.#view, this.#tables),
      keys: this.#keys,
      refusals: this.#refusals,
      place: { lane: lane.id, n, at: new Date(atMs).toISOString() },
      atMs,
      done: new Map(),
      refused: new KeptRefusals(Number.POSITIVE_INFINITY),
    };
    const { accepted, held, waiting, again } = decideRound(this.#queue.waiting, scope);
    this.#queue.keep(waiting);
    for (const { pending, keyNames } of again) this.#queue.retry(pending, keyNames);
    if (accepted.length === 0 && held.length === 0) return;
    const position = tokenAt(lane, accepted.length > 0 ? n : n - 1);
    // Without a step nothing waits: answers and frames go out as one write.
    const { step } = this.#options;
    if (step) await step("append.decided");
    const outcome = accepted.length > 0 ? await this.#append(accepted, scope) : await this.#confirmHead();
    if (outcome === "lost")
      return this.#end(
        "another writer has the lane",
        [...accepted, ...held].map((item) => item.pending),
      );
    const failed = typeof outcome === "object" ? outcome.refused : undefined;
    if (failed !== undefined) {
      // Nothing of this round is in the log, but what was held may rest on it: all of it is to be sent again.
      for (const { pending } of [...accepted, ...held]) {
        this.#queue.settle(pending, { refused: { code: "Unavailable", detail: failed } });
      }
      return;
    }
    if (step && accepted.length === 0) await step("append.confirmed");
    for (const { pending, result } of accepted)
      this.#queue.settle(pending, told(pending, result, position, this.#options.hashes));
    for (const one of held) this.#answerHeld(one, position);
    if (step) await stepSent(step, "append.answered");
    this.#gathering.answered(accepted.length);
    const events = accepted.flatMap((item) => item.events);
    publishFrames(events, { ...scope.place, epoch: lane.epoch, term: this.#term }, this.#options, this.#beats);
    if (step) await stepSent(step, "append.published");
  }

  #answerHeld({ pending, reply }: Held, position: string): void {
    if ("refused" in reply) {
      this.#refusals.add(pending, reply.refused);
      this.#queue.settle(pending, reply);
    } else this.#queue.settle(pending, told(pending, reply.result, position, this.#options.hashes));
  }

  async #append(accepted: readonly Accepted[], scope: DecideScope) {
    const { lane, writer } = this.#options;
    const { n, at } = scope.place;
    const head: CommitHead = {
      lane: lane.id,
      epoch: lane.epoch,
      n,
      term: this.#term,
      writer,
      prevHash: this.#at.hash,
      at,
    };
    const bytes = encodeCommit(
      head,
      accepted.map(({ entry }) => entry),
    );
    const { now, step } = this.#options;
    const firstDeadline = Math.min(...accepted.map(({ pending }) => pending.command.deadlineAt));
    const leftMs = () => firstDeadline + 1 - now();
    const outcome = await appendSurely(lane, bytes, n, { signal: this.#stop.signal, step, leftMs });
    if (outcome !== "stored") return outcome;
    if (step) await step("append.stored");
    this.#at = { n, hash: hashCommit(bytes), atMs: scope.atMs };
    this.#options.onStored?.({ n, bytes });
    const changes = accepted.flatMap((item) => item.changes);
    this.#view.commit(n, changes, { events: weightOf(accepted), bytes: bytes.byteLength });
    for (const { pending, result } of accepted)
      this.#keys.add(pending.key, { digest: pending.digest, result }, scope.atMs);
    return outcome;
  }

  /** Before anybody is told no: this writer must still have the lane, after it decided. */
  async #confirmHead(): Promise<"stored" | "lost" | { refused: string }> {
    try {
      return (await this.#options.lane.lastNumber()) === this.#at.n ? "stored" : "lost";
    } catch {
      return { refused: "the log can't be reached" };
    }
  }

  /** What is no known trouble of a dependency is a bug: reported, and only this command suffers. */
  #refusalFor(error: unknown): Refusal {
    this.#endIfReplaced(error);
    const known = refusalOf(error);
    if (known === undefined) this.#options.onBug(error);
    return known ?? { code: "Internal" };
  }

  #beat(): void {
    const { lane, writer, live, subjects } = this.#options;
    const beat = { lane: lane.id, epoch: lane.epoch, term: this.#term, writer, ...this.#beats.take(this.#at.n) };
    live.publish(subjects.beat(lane.id), encodeBeat(beat));
  }

  async #moveFloor(): Promise<void> {
    if (this.#view.floor < this.#view.head || this.#view.hasParked) await this.#lookAtTables();
  }

  async #lookAtTables(): Promise<void> {
    await this.#view.load([]).catch((error: unknown) => this.#endIfReplaced(error));
  }

  /** Tables of another version are served since: a writer of that version is to have the lane. */
  #endIfReplaced(error: unknown): void {
    if (error instanceof FactsOfAnotherVersion) this.#end(error.message);
  }

  async #checkStanding(): Promise<void> {
    await this.#lookAtTables();
    await checkClock(this.#options.lane, this.#options.now).catch((error: unknown) => {
      const mustEnd = error instanceof TakeOverFailed || error instanceof EpochOver;
      if (mustEnd) this.#end(error.message);
    });
  }

  #end(reason: string, open: readonly PendingCommand[] = []): void {
    // Those of an append under way come back here when the lane was given up meanwhile.
    for (const pending of open) this.#queue.settle(pending, { refused: { code: "LaneMoved" } });
    if (this.#state === "lost") return;
    const wasLeading = this.#state === "leading";
    this.#state = "lost";
    for (const timer of this.#timers) clearInterval(timer);
    this.#stop.abort();
    this.#gathering.end();
    this.#queue.refuse({ code: "LaneMoved" });
    if (wasLeading) this.#options.onLost?.(reason);
  }
}

const busy = { code: "Busy" } as const;
const floorPollMs = 250;
const standingCheckMs = 10_000;
const drainMs = 5_000;
