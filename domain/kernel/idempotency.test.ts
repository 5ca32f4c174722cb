import fc from "fast-check";
import { expect, test } from "vitest";
import { roomCommands, roomModel } from "../room/index.ts";
import { ask, type MemoryBox, memoryBox } from "../testing/memoryBox.ts";
import type { AppendFault } from "../testing/memoryLane.ts";
import { isRetryable } from "../values/rejections.ts";
import type { Command, CommandReply } from "./command.ts";
import { derivedId } from "./derivedId.ts";
import { factRef } from "./fact.ts";
import type { LaneWriter } from "./laneWriter.ts";
import { TakeOverFailed } from "./takeOver.ts";

const ana = "00000000-0000-4000-8000-00000000000a";
const room = "00000000-0000-4000-8000-000000000001";
const foreign = { load: async () => new Map([[factRef("users", ana), { id: ana, status: "active" }]]) } as never;

const steps = [
  ...(["new", "new", "ten new", "again", "again", "again", "other payload"] as const),
  ...(["project", "rebuild", "restart", "another takes over", "wait", "wait", "fault", "release"] as const),
];
const faults: AppendFault[] = [
  "unclearStored",
  "unclearNotStored",
  "unclearStoredLater",
  "wrongLast",
  { refused: "full" },
];
const script = fc.array(fc.record({ step: fc.constantFrom(...steps), pick: fc.nat(10_000) }), { maxLength: 60 });

/** A command that was sent, and what became of it. */
interface Sent {
  readonly command: Command;
  told?: CommandReply;
}

test("a key is done once and told the same for ever, whatever fails, restarts, lags or is filled anew", async () => {
  await fc.assert(
    fc.asyncProperty(script, async (actions) => {
      const world = await World.begin();
      for (const { step, pick } of actions) await world.take(step, pick);
      await world.end();
    }),
    { numRuns: 60 },
  );
});

/** A lane with a writer that remembers ten keys; its former ones may still be asked. */
class World {
  readonly #box: MemoryBox;
  readonly #sent: Sent[] = [];
  readonly #writers: LaneWriter[] = [];

  private constructor(box: MemoryBox) {
    this.#box = box;
  }

  static async begin(): Promise<World> {
    const world = new World(memoryBox(roomModel, "rooms.0"));
    await world.#lead();
    await world.#send("createRoom", { name: "den" }, 0);
    return world;
  }

  async take(step: (typeof steps)[number], pick: number): Promise<void> {
    const box = this.#box;
    if (step === "new") await this.#send("postMessage", { room, text: `${this.#sent.length}` }, pick);
    else if (step === "ten new") for (let i = 0; i < 10; i++) await this.take("new", pick + i);
    else if (step === "again") await this.#repeat(this.#sent[pick % this.#sent.length] as Sent, pick);
    else if (step === "other payload") await this.#reuse(this.#sent[pick % this.#sent.length] as Sent);
    else if (step === "project") await box.project(pick % (box.lane.commits.length + 1));
    else if (step === "rebuild") box.startRebuild();
    else if (step === "wait") box.nowMs += (pick % 10) * 60_000;
    else if (step === "fault") box.lane.failNext(faults[pick % faults.length] as AppendFault);
    else if (step === "release") box.lane.release();
    else {
      if (step === "restart") await Promise.all(this.#writers.splice(0).map((writer) => writer.close()));
      await this.#lead();
    }
  }

  /** All that was told holds, in the log and for whoever asks once more. */
  async end(): Promise<void> {
    const box = this.#box;
    box.lane.release();
    await box.project();
    await Promise.all(this.#writers.splice(0).map((writer) => writer.close()));
    await this.#lead();
    for (const one of this.#sent) await this.#repeat(one, 0);
    const texts = (await box.foldOfLog())
      .rows("messages")
      .flatMap(({ type, data }) => (type === "message" ? [data] : []));
    const done = this.#sent.filter(({ command, told }) => command.kind === "postMessage" && told && "ok" in told);
    expect(texts.map((data) => (data as { text: string }).text).sort()).toEqual(
      done.map(({ command }) => String(command.data.text)).sort(),
    );
    await Promise.all(this.#writers.map((writer) => writer.close()));
  }

  async #lead(): Promise<void> {
    const options = { commands: roomCommands, foreign, maxKeys: 10, behindTimeoutMs: 1, beatMs: 60_000 };
    // The log may refuse a take-over as it may any commit.
    for (let writer: LaneWriter | undefined; writer === undefined; ) {
      writer = await this.#box.writer({ ...options, writer: `w${this.#writers.length}` }).catch(onlyFailed);
      if (writer !== undefined) this.#writers.push(writer);
    }
  }

  async #send(kind: Command["kind"], data: Command["data"], pick: number): Promise<void> {
    // Dated up to two minutes ahead, or long ago: a client's clock is its own.
    const datedMs = this.#box.nowMs + 120_000 - (pick % 7) * 60_000;
    const key = { actor: ana, id: derivedId(datedMs, `${this.#sent.length}`) };
    const sent: Sent = { command: { key, kind, subject: room, data, deadlineAt: 0 } };
    this.#sent.push(sent);
    await this.#repeat(sent, pick);
  }

  /** What was told once is told again; else the answer is one that stays only when it is yes. */
  async #repeat(sent: Sent, pick: number): Promise<void> {
    const reply = await this.#ask(sent.command, pick);
    if ("refused" in reply) expect(isRetryable(reply.refused.code), reply.refused.code).toBe(true);
    else if (sent.told !== undefined && "ok" in sent.told) expect(reply.ok).toEqual(sent.told.ok);
    if ("ok" in reply) sent.told = reply;
  }

  async #reuse({ command, told }: Sent): Promise<void> {
    if (told === undefined || "refused" in told) return;
    const reply = await this.#ask(
      { ...command, data: { ...command.data, [command.kind === "createRoom" ? "name" : "text"]: "another" } },
      0,
    );
    const code = "refused" in reply ? reply.refused.code : "ok";
    expect(code === "KeyReused" || (code !== "ok" && isRetryable(code as "Busy")), code).toBe(true);
  }

  /** Mostly the last writer; now and then one that has lost the lane and does not know it. */
  #ask(command: Command, pick: number): Promise<CommandReply> {
    const writer = pick % 5 === 4 ? this.#writers[pick % this.#writers.length] : this.#writers.at(-1);
    return ask(writer as LaneWriter, { ...command, deadlineAt: this.#box.nowMs + 5_000 });
  }
}

function onlyFailed(error: unknown): undefined {
  if (!(error instanceof TakeOverFailed)) throw error;
}
