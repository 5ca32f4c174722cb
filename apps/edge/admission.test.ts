import { expect, test } from "vitest";
import { admission, signInsAtOnce } from "./admission.ts";
import { Refused } from "./refusals.ts";

const waiting = 4;

/** Signs in that end when the test says so. */
function held(maxWaiting = waiting) {
  const clock = { now: 0 };
  const one = admission(maxWaiting, () => clock.now);
  const begun: number[] = [];
  const ends: (() => void)[] = [];
  const refusals: { readonly name: string; readonly afterMs?: number }[] = [];
  const come = (count: number) => {
    for (let at = 0; at < count; at++) {
      const work = () => {
        begun.push(at);
        return new Promise<void>((resolve) => ends.push(resolve));
      };
      one.run(work).catch((error) => refusals.push((error as Refused).wire));
    }
    return new Promise((resolve) => setImmediate(resolve));
  };
  return { clock, begun, ends, refusals, come };
}

test.each([-1, 0, 1])(
  "of the sockets that may sign in or wait, and %i more, only that one is refused",
  async (more) => {
    const { begun, refusals, come } = held();
    await come(signInsAtOnce + waiting + more);
    expect([begun.length, refusals.length]).toEqual([signInsAtOnce, Math.max(0, more)]);
  },
);

test("those who wait have their turns in the order in which they came; a turn that ends makes room for one", async () => {
  const { begun, ends, refusals, come } = held();
  await come(signInsAtOnce + waiting);
  for (let at = 0; at < 2; at++) ends[at]?.();
  await come(0);
  await come(3);
  expect(begun).toEqual([...Array(signInsAtOnce + 2).keys()]);
  expect(refusals).toHaveLength(1);
});

test("who is refused is told to come back at times that differ, half a second to 15 seconds ahead", async () => {
  const { refusals, come } = held(0);
  await come(signInsAtOnce + 5_000);
  const times = refusals.map(({ afterMs = 0 }) => afterMs);
  expect(refusals[0]).toMatchObject({ name: "Busy", retry: true });
  expect(times.slice(0, 3)).toEqual([500, 503, 506]);
  expect([Math.min(...times), Math.max(...times)]).toEqual([500, 14_999]);
  expect(new Set(times.slice(0, 4_000)).size).toBe(4_000);
});

test("where sockets sign in slowly those who are refused come back further apart", async () => {
  const { clock, ends, refusals, come } = held(0);
  for (let round = 0; round < 20; round++) {
    await come(signInsAtOnce);
    for (const end of ends.splice(0)) {
      clock.now += 40;
      end();
      await come(0);
    }
  }
  await come(signInsAtOnce + 2);
  const [first, second] = refusals.map(({ afterMs = 0 }) => afterMs);
  expect([first, second]).toEqual([500, 540]);
});

test("a sign-in that fails makes room as well", async () => {
  const one = admission(0);
  const fail = () => one.run(() => Promise.reject(new Refused("SessionEnded")));
  for (let at = 0; at < 3 * signInsAtOnce; at++) await expect(fail()).rejects.toThrow("SessionEnded");
});
