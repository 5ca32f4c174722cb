import { pause } from "./pause.ts";
import type { AppendRefusal, Lane } from "./ports.ts";
import { type AppendStep, type Step, stepSent } from "./steps.ts";

/** `lost`: other bytes stand at that number, so another writer has the lane; or the lane is in another epoch. */
export type SureOutcome = "stored" | "lost" | { readonly refused: AppendRefusal };

/**
 * The rule of the unclear append. Sends the same bytes with the same expected number until the log says yes or "wrong
 * last number"; then looks at what stands there, through the leader. A look alone settles nothing: bytes held on the line
 * may land after it. Waits as long as the log is away; ends early only with `signal`, as `lost`.
 */
export async function appendSurely(
  lane: Lane,
  bytes: Uint8Array,
  n: number,
  signal: AbortSignal,
  step?: Step<AppendStep>,
): Promise<SureOutcome> {
  for (let attempt = 0; !signal.aborted; attempt++) {
    const answer = lane.append(bytes, n - 1);
    await stepSent(step, "append.sent");
    const outcome = await answer;
    if (outcome === "stored") return "stored";
    if (outcome === "wrongLast") {
      const there = await lane.readAt(n).catch(() => undefined);
      if (there !== undefined) return Buffer.compare(there.bytes, bytes) === 0 ? "stored" : "lost";
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
