import { Refused } from "./refusals.ts";

/** Nothing is asked of an upload for so long. */
const graceMs = 60_000;
/** Then it has to come at this pace, or at that of a file that takes 10 minutes if that is slower. */
const leastBytesPerSecond = 4 * 1024;
const shortSeconds = 600;
/** A longer silence is not the sender's: the server cuts a line that is silent for so long. */
const mostGapMs = 30_000;

/**
 * The bytes of an upload of `size`, as long as they come at some pace: it holds room on the disk and one of few places, which nobody
 * may keep by a byte now and then. Throws `Refused` (`UploadCut`), and what the source throws.
 * @param now a clock in milliseconds
 */
export async function* steadyUpload(
  source: AsyncIterable<Uint8Array>,
  size: number,
  now: () => number = () => performance.now(),
): AsyncGenerator<Uint8Array, void> {
  const pace = Math.min(leastBytesPerSecond, size / shortSeconds) / 1_000;
  let came = 0;
  let tookMs = 0;
  let lastAt = now();
  for await (const chunk of source) {
    const at = now();
    tookMs += Math.min(mostGapMs, at - lastAt);
    lastAt = at;
    came += chunk.byteLength;
    if (came < (tookMs - graceMs) * pace) throw new Refused("UploadCut", "too slow");
    yield chunk;
  }
}
