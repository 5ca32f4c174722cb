import { randomBytes } from "node:crypto";
import { afterEach, expect, test } from "vitest";
import { unhit } from "../../faults/table.ts";
import { runEdgeSoak } from "./edgeSoak.ts";

let close: (() => Promise<void>) | undefined;

afterEach(() => close?.());

test("whatever lines, edges and clients do, nothing is lost, doubled, out of order or silently left out", async () => {
  const seed = randomBytes(4).toString("hex");
  const { rows, faults } = await runEdgeSoak({
    rounds: 1,
    most: 8,
    isQuick: true,
    sockets: 300,
    seed,
    // Seen when it fails.
    say: (text) => void process.stderr.write(`${text}\n`),
    onBox: (end) => {
      close = end;
    },
  });
  expect(rows).toHaveLength(8);
  expect({ seed, faults: [...unhit(rows), ...faults] }).toEqual({ seed, faults: [] });
});
