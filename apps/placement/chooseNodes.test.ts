import { expect, test } from "vitest";
import { chooseNodes } from "./chooseNodes.ts";

const gigabyte = 1024 ** 3;
const hash = (n: number) => n.toString(16).padStart(64, "0");

test("the same blob goes to the same nodes, in whatever order they are given", () => {
  const nodes = ["a", "b", "c", "d"].map((id) => ({ id, freeBytes: gigabyte }));
  const chosen = chooseNodes(hash(1), nodes, 2);
  expect(chosen).toHaveLength(2);
  expect(chooseNodes(hash(1), nodes.toReversed(), 2)).toEqual(chosen);
});

test("a node with three times the room gets three times the blobs", () => {
  const nodes = [
    { id: "small", freeBytes: gigabyte },
    { id: "large", freeBytes: 3 * gigabyte },
  ];
  const toLarge = Array.from({ length: 2_000 }, (_, n) => chooseNodes(hash(n), nodes, 1)[0]?.id).filter(
    (id) => id === "large",
  );
  expect(toLarge.length / 2_000).toBeGreaterThan(0.7);
  expect(toLarge.length / 2_000).toBeLessThan(0.8);
});
