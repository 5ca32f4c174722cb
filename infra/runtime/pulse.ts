import type { ChildProcess } from "node:child_process";

const question = "are you there?";
const answer = "here";

/** Has this process answer whoever started it, as long as its event loop turns. */
export function answerPulse(): void {
  process.on("message", (message) => {
    // Who asked may be gone by now.
    if (message === question) process.send?.(answer, undefined, undefined, () => {});
  });
}

/** Looks so often before a process is held to be dead. */
const looks = 5;

/**
 * Asks a process over its channel, five times in `silentMs`, and calls `onSilent` once when none of that many questions was answered. What is
 * counted is questions, not time: while this process or the whole machine stood still, nobody was asked. Ends with `signal`.
 */
export function watchPulse(
  child: ChildProcess,
  { silentMs, signal, onSilent }: { readonly silentMs: number; readonly signal: AbortSignal; onSilent(): void },
): void {
  let unanswered = 0;
  child.on("message", (message) => {
    if (message === answer) unanswered = 0;
  });
  const timer = setInterval(() => {
    if (unanswered === looks) {
      clearInterval(timer);
      onSilent();
      return;
    }
    unanswered++;
    // A closed channel is one more way of not answering.
    child.send(question, undefined, undefined, () => {});
  }, silentMs / looks);
  signal.addEventListener("abort", () => clearInterval(timer), { once: true });
}
