import { pause } from "./pause.ts";
import type { AppendRefusal, Lane } from "./ports.ts";
import { type AppendStep, type Step, stepSent } from "./steps.ts";

/**
 * `lost`: other bytes stand at that number, so another writer has the lane; or the lane is in another epoch. `late`: nothing was sent,
 * because it was too late for that.
 */
export type SureOutcome = "stored" | "lost" | { readonly refused: AppendRefusal | "late" };

export interface SureOptions {
  readonly signal: AbortSignal;
  readonly step?: Step<AppendStep>;
  /** How long it may take until the bytes are sent for the first time; for ever if left out. Sent again they are without end. */
  leftMs?(): number;
}

/**
 * The rule of the unclear append. Sends the same bytes with the same expected number until the log says yes or "wrong
 * last number"; then looks at what stands there, through the leader. A look alone settles nothing: bytes held on the line
 * may land after it. Waits as long as the log is away; ends early only with `signal`, as `lost`.
 */
export async function appendSurely(
  lane: Lane,
  bytes: Uint8Array,
  n: number,
  { signal, step, leftMs = () => Number.POSITIVE_INFINITY }: SureOptions,
): Promise<SureOutcome> {
  const firstMs = leftMs();
  if (firstMs <= 0) return { refused: "late" };
  for (let attempt = 0; !signal.aborted; attempt++) {
    const answer = lane.append(bytes, n - 1, attempt === 0 ? firstMs : undefined);
    await stepSent(step, "append.sent");
    const outcome = await answer;
    if (outcome === "stored") return "stored";
    if (outcome === "wrongLast") {
      const whose = await whoseIs(lane, n, bytes);
      if (whose !== undefined) return whose;
    } else if (outcome === "epochOver") {
      return "lost";
    } else if (outcome !== "unclear") {
      // A refusal is certain only if no earlier sending of the same bytes may still land.
      if (attempt === 0) return outcome;
    }
    await pause(Math.min(20 * 2 ** attempt, 1_000));
  }
  return "lost";
}

/** Whether the bytes at `n` are ours; undefined when there are none, or they can't be read. */
async function whoseIs(lane: Lane, n: number, bytes: Uint8Array): Promise<"stored" | "lost" | undefined> {
  const there = await lane.readAt(n).catch(() => undefined);
  if (there === undefined) return undefined;
  return Buffer.compare(there.bytes, bytes) === 0 ? "stored" : "lost";
}
