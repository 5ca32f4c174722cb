import { expect, test } from "vitest";
import { assertRoom } from "./diskRoom.ts";

test("new tables are refused, with the figures, where they have no room", () => {
  const folder = "/data/postgres";
  const room = { neededBytes: 3 * 1024 ** 3, folder };
  expect(() => assertRoom({ ...room, freeBytes: 1024 ** 3 })).toThrow(
    "about 3.0 GiB beside the served ones, and some 256.0 MiB while they are filled, but /data/postgres has 1.0 GiB free",
  );
  expect(() => assertRoom({ ...room, freeBytes: 3 * 1024 ** 3 })).toThrow("hub projections drop");
  expect(() => assertRoom({ ...room, freeBytes: 4 * 1024 ** 3 })).not.toThrow();
});
