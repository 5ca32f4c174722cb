import { expect, test } from "vitest";
import { logClock } from "./logClock.ts";

const hour = 3_600_000;

function clocks() {
  const here = { steady: 5_000, wall: 1_000_000 + hour, log: 1_000_000, answerMs: 10 };
  const clock = logClock(
    async () => {
      here.steady += here.answerMs;
      return here.log + here.answerMs / 2;
    },
    { steady: () => here.steady, wall: () => here.wall },
  );
  return { here, clock };
}

test("before the first look it is this machine's clock; then the log's, whatever this machine's is set to", async () => {
  const { here, clock } = clocks();
  expect(clock.now()).toBe(here.wall);
  await clock.look();
  expect(clock.now()).toBe(1_000_010);
  here.wall -= 2 * hour;
  here.steady += 700;
  expect(clock.now()).toBe(1_000_710);
});

test("it follows the log when that runs differently, but not by an answer that was long on its way", async () => {
  const { here, clock } = clocks();
  await clock.look();
  here.log += 400;
  await clock.look();
  expect(clock.now()).toBe(1_000_410);
  Object.assign(here, { answerMs: 1_800, log: here.log + 60_000 });
  await clock.look();
  expect(clock.now()).toBe(1_002_210);
});
