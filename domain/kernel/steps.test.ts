import { expect, test } from "vitest";
import { roomCommands, roomModel } from "../room/index.ts";
import { ask, memoryBox } from "../testing/memoryBox.ts";
import type { Command } from "./command.ts";
import { derivedId } from "./derivedId.ts";
import { startReactor } from "./reactor.ts";
import { type AppendStep, appendSteps, type ReactStep, reactSteps } from "./steps.ts";

test("a writer comes by each step, in the order of the work, and goes on only when it may", async () => {
  const box = memoryBox(roomModel, "rooms.0");
  const steps: AppendStep[] = [];
  const heads: number[] = [];
  const step = async (name: AppendStep) => {
    await Promise.resolve();
    steps.push(name);
    heads.push(box.lane.commits.length);
  };
  const writer = await box.writer({ commands: roomCommands, step });
  const key = { actor: "00000000-0000-4000-8000-00000000000a", id: derivedId(box.nowMs, "create") };
  const subject = "00000000-0000-4000-8000-000000000001";
  const create: Command = { key, kind: "createRoom", subject, data: { name: "den" }, deadlineAt: box.nowMs + 5_000 };
  const foreign = new Map([[`users/${key.actor}`, { id: key.actor, status: "active" }]]);
  await writer.close();
  steps.length = 0;
  heads.length = 0;
  const second = await box.writer({ commands: roomCommands, step, foreign: { load: async () => foreign } as never });
  await ask(second, create);
  await expect.poll(() => steps.at(-1)).toBe("append.published");
  await ask(second, create);
  expect([...new Set(steps)].sort()).toEqual([...appendSteps].sort());
  const taking = ["append.tailRead 1", "append.sent 2", "append.takenOver 2"];
  const storing = ["append.decided 2", "append.sent 3", "append.stored 3", "append.answered 3", "append.published 3"];
  const seen = steps.map((name, at) => `${name} ${heads[at]}`);
  expect(seen.slice(0, 8)).toEqual([...taking, ...storing]);
  expect(seen.slice(8, 10)).toEqual(["append.decided 3", "append.confirmed 3"]);
  await second.close();
});

test("a reactor comes by each of its steps", async () => {
  const box = memoryBox(roomModel, "rooms.0");
  await (await box.writer({ commands: roomCommands })).close();
  const steps: ReactStep[] = [];
  const reactor = startReactor({
    lane: box.lane,
    vault: box.vault,
    model: roomModel,
    checkpoint: { read: async () => 0, write: async () => undefined },
    react: async () => undefined,
    step: (name) => void steps.push(name),
  });
  await expect.poll(() => steps).toEqual(["react.done"]);
  await reactor.close();
  expect(steps).toEqual(reactSteps);
});
