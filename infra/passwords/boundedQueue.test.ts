import { expect, test } from "vitest";
import { boundedQueue, PasswordsBusy } from "./boundedQueue.ts";

/** Work that ends when told to, and says that it began. */
function controlled() {
  const begun: string[] = [];
  const ends = new Map<string, (error?: Error) => void>();
  const work = (name: string) => () => {
    begun.push(name);
    return new Promise<string>((resolve, reject) => {
      ends.set(name, (error) => (error ? reject(error) : resolve(name)));
    });
  };
  return { begun, work, end: (name: string, error?: Error) => ends.get(name)?.(error) };
}

test("work beyond the bound waits its turn, in the order of arrival", async () => {
  const { begun, work, end } = controlled();
  const run = boundedQueue({ maxConcurrent: 2, maxWaiting: 2 });
  const results = ["a", "b", "c", "d"].map((name) => run(work(name)));
  expect(begun).toEqual(["a", "b"]);
  end("b");
  await results[1];
  await Promise.resolve();
  expect(begun).toEqual(["a", "b", "c"]);
  end("a");
  await results[0];
  await Promise.resolve();
  end("c");
  end("d");
  expect(await Promise.all(results)).toEqual(["a", "b", "c", "d"]);
});

test("work beyond the waiting line is refused at once, and there is room again afterwards", async () => {
  const { work, end } = controlled();
  const run = boundedQueue({ maxConcurrent: 1, maxWaiting: 1 });
  const first = run(work("first"));
  const second = run(work("second"));
  await expect(run(work("third"))).rejects.toThrow(PasswordsBusy);
  end("first");
  await first;
  await Promise.resolve();
  const fourth = run(work("fourth"));
  end("second");
  await second;
  await Promise.resolve();
  end("fourth");
  expect(await fourth).toBe("fourth");
});

test("work that fails gives its place to the next", async () => {
  const { work, end, begun } = controlled();
  const run = boundedQueue({ maxConcurrent: 1, maxWaiting: 1 });
  const failing = run(work("failing"));
  const next = run(work("next"));
  end("failing", new Error("no"));
  await expect(failing).rejects.toThrow("no");
  expect(begun).toEqual(["failing", "next"]);
  end("next");
  expect(await next).toBe("next");
});
