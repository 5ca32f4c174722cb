import { roomModel } from "@connect-hub/domain/room";
import { memoryLane } from "@connect-hub/domain/testing";
import { expect, test } from "vitest";
import { Cursors } from "./cursors.ts";

test("a service that leaves many cursors loses the one that it used longest ago, and no other service's", async () => {
  const cursors = new Cursors();
  const opened: number[] = [];
  const take = (who: string, n: number) =>
    cursors.take(who, ["e", n], async () => {
      opened.push(n);
      return { lane: memoryLane(), wanted: { model: roomModel, types: [] }, vault: undefined };
    });
  cursors.putBack("b", "b|x", await take("b|x", 1_000));
  for (let n = 1; n <= 65; n++) cursors.putBack("a", "a|x", await take("a|x", n));
  opened.length = 0;
  for (const [who, n] of [
    ["a|x", 65],
    ["a|x", 2],
    ["b|x", 1_000],
    ["a|x", 1],
  ] as const)
    await take(who, n);
  expect(opened).toEqual([1]);
  cursors.close();
});
