import { describe, expect, test } from "vitest";
import { LogUnavailable } from "../kernel/ports.ts";
import { laneFeatures } from "./lane.features.ts";
import { memoryLane } from "./memoryLane.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

describe("the lane in memory", () => {
  laneFeatures(async () => {
    const lane = memoryLane();
    return { lane, other: lane, endEpoch: async () => lane.endEpoch(), close: async () => undefined };
  });
});

describe("faults of the lane in memory", () => {
  test("unclear and stored", async () => {
    const lane = memoryLane();
    lane.failNext("unclearStored");
    expect(await lane.append(bytes("a"), 0)).toBe("unclear");
    expect(await lane.append(bytes("a"), 0)).toBe("wrongLast");
    expect(await lane.lastNumber()).toBe(1);
  });

  test("unclear and not stored", async () => {
    const lane = memoryLane();
    lane.failNext("unclearNotStored");
    expect(await lane.append(bytes("a"), 0)).toBe("unclear");
    expect(await lane.append(bytes("a"), 0)).toBe("stored");
  });

  test("held bytes land at their release, if they still fit", async () => {
    const lane = memoryLane();
    lane.failNext("unclearStoredLater", "unclearStoredLater");
    expect(await lane.append(bytes("a"), 0)).toBe("unclear");
    expect(await lane.append(bytes("a"), 0)).toBe("unclear");
    expect(await lane.lastNumber()).toBe(0);
    expect(lane.release()).toBe(1);
    expect(lane.commits.length).toBe(1);
    expect(lane.release()).toBe(0);
  });

  test("refusals, a foreign append, and a log that is away", async () => {
    const lane = memoryLane();
    lane.failNext({ refused: "full" }, "wrongLast");
    expect(await lane.append(bytes("a"), 0)).toEqual({ refused: "full" });
    expect(await lane.append(bytes("a"), 0)).toBe("wrongLast");
    expect(lane.appendForeign(bytes("b"))).toBe(1);
    expect(await lane.append(bytes("a"), 0)).toBe("wrongLast");
    lane.away = true;
    expect(await lane.append(bytes("a"), 1)).toBe("unclear");
    await expect(lane.lastNumber()).rejects.toThrow(LogUnavailable);
    lane.away = false;
    expect(await lane.append(bytes("a"), 1)).toBe("stored");
    expect(lane.appends).toBe(5);
  });
});
