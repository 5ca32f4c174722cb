import { CommandId, uuidV7Time } from "@connect-hub/domain/values";
import { expect, test } from "vitest";
import { newKey } from "./newKey.ts";

test("a key is a UUIDv7 of now, and no two are alike", () => {
  const before = Date.now();
  const keys = Array.from({ length: 1_000 }, newKey);
  for (const key of keys) expect(CommandId.safeParse(key).success, key).toBe(true);
  expect(new Set(keys).size).toBe(keys.length);
  expect(new Set(keys.map((key) => key[19]))).toEqual(new Set(["8", "9", "a", "b"]));
  const [first = "", last = ""] = [keys[0], keys.at(-1)];
  expect(uuidV7Time(first)).toBeGreaterThanOrEqual(before);
  expect(uuidV7Time(last)).toBeLessThanOrEqual(Date.now());
});
