import { encodeCommit } from "@connect-hub/domain/kernel";
import { memoryLane } from "@connect-hub/domain/testing";
import { expect, test } from "vitest";
import { fullness } from "./growth.ts";
import { dayMs, laneGrowth } from "./laneGrowth.ts";

const nowMs = Date.parse("2026-03-01T12:00:00.000Z");
const hourMs = 3_600_000;

/** A lane with a commit so many hours ago, each of about `size` bytes. */
function laneWith(hoursAgo: readonly number[], size = 1_000) {
  const lane = memoryLane();
  for (const [at, hours] of hoursAgo.entries()) {
    const head = { lane: lane.id, epoch: lane.epoch, n: at + 1, term: 1, writer: "x".repeat(size), prevHash: "" };
    lane.appendForeign(encodeCommit({ ...head, at: new Date(nowMs - hours * hourMs).toISOString() }, []));
  }
  return lane;
}

test("a lane's growth is what came in the last day, not what came before", async () => {
  const before = Array.from({ length: 48 }, (_, at) => 72 - at);
  const today = Array.from({ length: 240 }, (_, at) => 24 - at / 10);
  const growth = await laneGrowth(laneWith([...before, ...today]), nowMs);
  expect(growth).toMatchObject({ commits: 240, spanMs: dayMs, part: 240 / 288 });
  expect(growth?.bytesPerDay).toBeGreaterThan(240 * 1_000);
  expect(growth?.bytesPerDay).toBeLessThan(240 * 1_500);
  expect(await laneGrowth(laneWith(before), nowMs)).toMatchObject({ commits: 0, bytesPerDay: 0 });
});

test("a lane of some hours is thought on to a day; one of less than an hour says nothing", async () => {
  const growth = await laneGrowth(laneWith([6, 5, 4, 3, 2, 1]), nowMs);
  expect(growth).toMatchObject({ commits: 6, spanMs: 6 * hourMs, part: 1 });
  expect(growth?.bytesPerDay).toBeGreaterThan(24 * 1_000);
  expect(await laneGrowth(laneWith([0.9, 0.5]), nowMs)).toBeUndefined();
  expect(await laneGrowth(laneWith([]), nowMs)).toBeUndefined();
});

test.each([
  [2.9, "fail", "2026-03-04"],
  [3, "warn", "2026-03-04"],
  [29.9, "warn", "2026-03-31"],
  [30, "ok", "2026-03-31"],
])("what is full in %d days is a %s, with the day", (days, state, day) => {
  const finding = fullness({ check: "x", rate: "fast", what: "it" }, { left: days * 100, perDay: 100, nowMs }, "do");
  expect(finding.state).toBe(state);
  expect(finding.says).toBe(`fast: it is full in ${Math.floor(days)} days, on ${day}`);
});

test("what does not grow, or slowly, is not full for years", () => {
  for (const perDay of [0, 0.01])
    expect(fullness({ check: "x", rate: "slow", what: "it" }, { left: 100, perDay, nowMs }, "do")).toEqual({
      ...{ check: "x", state: "ok", says: "slow: it is not full for years" },
    });
});
