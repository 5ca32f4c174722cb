import { expect, test } from "vitest";
import { steadyUpload } from "./steadyUpload.ts";

const MiB = 1024 * 1024;

/** How many bytes are taken of an upload that sends `bytes` every `everyMs`, and whether it was cut. */
async function taken(size: number, bytes: number, everyMs: number): Promise<{ taken: number; isCut: boolean }> {
  let nowMs = 0;
  async function* source() {
    for (let sent = 0; sent < size; sent += bytes) {
      nowMs += everyMs;
      yield new Uint8Array(Math.min(bytes, size - sent));
    }
  }
  let came = 0;
  try {
    for await (const chunk of steadyUpload(source(), size, () => nowMs)) came += chunk.byteLength;
    return { taken: came, isCut: false };
  } catch (error) {
    expect(error).toMatchObject({ wire: { name: "UploadCut" } });
    return { taken: came, isCut: true };
  }
}

test("a byte now and then does not hold the room of a large file", async () => {
  expect(await taken(1_024 * MiB, 1, 29_000)).toEqual({ taken: 2, isCut: true });
});

test("nor of a small one, for long", async () => {
  const { taken: came, isCut } = await taken(60_000, 1, 10_000);
  expect([came < 10, isCut]).toEqual([true, true]);
});

test.each([
  ["a slow line", 20 * MiB, 5_000, 1_000],
  ["a small file over the slowest line", 1_000, 10, 5_000],
  ["an empty file", 0, 1, 1],
])("%s is waited for", async (_, size, bytes, everyMs) => {
  expect(await taken(size, bytes, everyMs)).toEqual({ taken: size, isCut: false });
});

test("when this server itself stood still, the sender is not blamed", async () => {
  expect(await taken(10 * MiB, 5 * MiB, 3_600_000)).toEqual({ taken: 10 * MiB, isCut: false });
});
