import { randomBytes } from "node:crypto";
import { afterAll, expect, test } from "vitest";
import { unhit } from "../faults/table.ts";
import { runCrash } from "./crash.ts";

let close: (() => Promise<void>) | undefined;

afterAll(() => close?.());

test("killed once at every step of uploads, moves and downloads, nothing is lost or wrong", async () => {
  const seed = randomBytes(4).toString("hex");
  const { rows, faults } = await runCrash({
    rounds: 1,
    seed,
    // Seen when it fails.
    say: (text) => void process.stderr.write(`${text}\n`),
    onBox: (end) => {
      close = end;
    },
  });
  expect(rows.length).toBeGreaterThan(0);
  expect({ seed, faults: [...unhit(rows), ...faults] }).toEqual({ seed, faults: [] });
});
