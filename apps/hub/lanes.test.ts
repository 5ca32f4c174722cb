import { LogUnavailable } from "@connect-hub/domain/kernel";
import { expect, test, vi } from "vitest";
import { patiently } from "./lanes.ts";

const away = () => new LogUnavailable("no leader");

test("a lane is opened while its servers choose a leader", async () => {
  const open = vi.fn().mockRejectedValueOnce(away()).mockRejectedValueOnce(away()).mockResolvedValue("open");
  expect(await patiently(open)).toBe("open");
  expect(open).toHaveBeenCalledTimes(3);
});

test("patience ends, and what is not about the log is said at once", async () => {
  const open = vi.fn().mockRejectedValue(away());
  await expect(patiently(open, 300)).rejects.toThrow("no leader");
  expect(open).toHaveBeenCalledTimes(2);
  const wrong = vi.fn().mockRejectedValue(new Error("wrong"));
  await expect(patiently(wrong)).rejects.toThrow("wrong");
  expect(wrong).toHaveBeenCalledTimes(1);
});
