import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { keepLease, leaseBy, leaseMs } from "./lease.ts";

function kept() {
  const now = { steady: 1_000, wall: 9_000 };
  const told: string[] = [];
  let prove: () => Promise<void> = async () => undefined;
  const lease = leaseBy(
    () => prove(),
    { onLapse: () => void told.push("lapse"), onBack: () => void told.push("back") },
    { steady: () => now.steady, wall: () => now.wall },
  );
  const pass = (ms: number) => {
    now.steady += ms;
    now.wall += ms;
  };
  const proveBy = (by: () => Promise<void>) => {
    prove = by;
  };
  return { lease, now, told, pass, proveBy };
}

test("there is no lease before it was proven, and one for as long as it lasts after", async () => {
  const { lease, told, pass } = kept();
  expect(lease.holds()).toBe(false);
  await lease.renew();
  pass(leaseMs - 1);
  expect(lease.holds()).toBe(true);
  pass(1);
  expect([lease.holds(), lease.holds()]).toEqual([false, false]);
  await lease.renew();
  expect(lease.holds()).toBe(true);
  expect(told).toEqual(["back", "lapse", "back"]);
});

test("it counts from before the proof was begun", async () => {
  const { lease, pass, proveBy } = kept();
  proveBy(async () => pass(leaseMs - 1));
  await lease.renew();
  expect(lease.holds()).toBe(true);
  pass(1);
  expect(lease.holds()).toBe(false);
  proveBy(async () => pass(leaseMs));
  await lease.renew();
  expect(lease.holds()).toBe(false);
});

test("a proof that fails leaves it as it is", async () => {
  const { lease, pass, proveBy } = kept();
  await lease.renew();
  pass(1_000);
  proveBy(() => Promise.reject(new Error("NATS is away")));
  await expect(lease.renew()).rejects.toThrow("away");
  expect(lease.holds()).toBe(true);
  pass(leaseMs - 1_000);
  expect(lease.holds()).toBe(false);
});

test("neither a machine that slept nor a clock that is set keeps it alive", async () => {
  const { lease, now } = kept();
  await lease.renew();
  now.wall += leaseMs;
  expect(lease.holds()).toBe(false);
  now.wall -= leaseMs;
  expect(lease.holds()).toBe(false);
  await lease.renew();
  now.wall -= 3_600_000;
  expect(lease.holds()).toBe(true);
  now.steady += leaseMs;
  expect(lease.holds()).toBe(false);
});

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test("it is renewed each second, sooner after a failure, until it is let go", async () => {
  let proofs = 0;
  let isAway = false;
  const lease = leaseBy(
    async () => {
      proofs += 1;
      if (isAway) throw new Error("NATS is away");
    },
    { onLapse() {}, onBack() {} },
  );
  const keeping = await keepLease(lease);
  await vi.advanceTimersByTimeAsync(10_000);
  expect([proofs, lease.holds()]).toEqual([12, true]);
  isAway = true;
  await vi.advanceTimersByTimeAsync(4_900);
  expect(lease.holds()).toBe(true);
  expect(proofs).toBeGreaterThan(25);
  await vi.advanceTimersByTimeAsync(1_200);
  expect(lease.holds()).toBe(false);
  isAway = false;
  await vi.advanceTimersByTimeAsync(250);
  expect(lease.holds()).toBe(true);
  await keeping.close();
  const before = proofs;
  await vi.advanceTimersByTimeAsync(10_000);
  expect([proofs, lease.holds()]).toEqual([before, false]);
});

test("who gets none within ten seconds is told why", async () => {
  const lease = leaseBy(() => Promise.reject(new Error("no such stream")), { onLapse() {}, onBack() {} });
  const keeping = expect(keepLease(lease)).rejects.toThrow("no such stream");
  await vi.advanceTimersByTimeAsync(10_500);
  await keeping;
});
