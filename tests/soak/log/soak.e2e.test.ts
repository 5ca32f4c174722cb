import { randomBytes } from "node:crypto";
import { afterEach, expect, test } from "vitest";
import { unhit } from "../../faults/table.ts";
import { runSoak } from "./soak.ts";

let close: (() => Promise<void>) | undefined;

afterEach(() => close?.());

test.each([
  { nats: 1, servers: "one nats-server" },
  { nats: 3, servers: "three clustered nats-servers" },
] as const)("on $servers, whatever is killed or frozen, nothing is lost, doubled or misordered", async ({ nats }) => {
  const seed = randomBytes(4).toString("hex");
  const { rows, faults } = await runSoak({
    rounds: 1,
    most: 4,
    isQuick: true,
    seed,
    nats,
    // Seen when it fails.
    say: (text) => void process.stderr.write(`${text}\n`),
    onBox: (end) => {
      close = end;
    },
  });
  expect(rows).toHaveLength(4);
  expect({ seed, faults: [...unhit(rows), ...faults] }).toEqual({ seed, faults: [] });
});
