import { expect, test } from "vitest";
import { gatheredRead } from "./gatheredRead.ts";

/** Reads that end when they are told to. */
function slowReads() {
  const asked: (readonly string[])[] = [];
  const ends: ((fails?: boolean) => void)[] = [];
  const get = gatheredRead<string>((keys) => {
    asked.push(keys);
    return new Promise((resolve, reject) => {
      ends.push((fails) => {
        if (fails) reject(new Error("away"));
        else resolve(new Map(keys.filter((key) => key !== "none").map((key) => [key, `${key}${asked.length}`])));
      });
    });
  });
  const end = async (fails?: boolean) => {
    ends.shift()?.(fails);
    await new Promise(setImmediate);
  };
  return { asked, get, end };
}

test("the first is asked for at once, and all who come meanwhile together afterwards", async () => {
  const { asked, get, end } = slowReads();
  const all = ["a", "b", "c", "b", "none"].map((key) => get(key));
  expect(asked).toEqual([["a"]]);
  await end();
  expect(asked).toEqual([["a"], ["b", "c", "none"]]);
  await end();
  expect(await Promise.all(all)).toEqual(["a1", "b2", "c2", "b2", undefined]);
});

test("a key that is being read is read again for who comes later", async () => {
  const { asked, get, end } = slowReads();
  const early = get("a");
  const late = get("a");
  await end();
  await end();
  expect([await early, await late, asked.length]).toEqual(["a1", "a2", 2]);
});

test("a read that fails fails for those who shared it alone", async () => {
  const { get, end } = slowReads();
  const [first, second] = [get("a"), get("b")];
  const failure = expect(first).rejects.toThrow("away");
  await end(true);
  await end();
  await failure;
  expect(await second).toBe("b2");
});
