import { pause } from "./pause.ts";

/**
 * The places where a process may be made to die, or to stand still, in a crash test, in the order of the work: after each step that
 * leaves something behind.
 */
export const appendSteps = [
  /** The tail after the checkpoint is read; the lane is still another's. */
  "append.tailRead",
  /** The take-over commit is on the log; nobody was told. */
  "append.takenOver",
  /** Commands are decided; nothing was sent to the log. */
  "append.decided",
  /** The commit is on its way; no answer of the log was seen. */
  "append.sent",
  /** The log has it; no command was answered. */
  "append.stored",
  /** The answers are on their way; no frame is. */
  "append.answered",
  /** The frames too. */
  "append.published",
  /** A refusal or a repeated result is known to hold; it was not told. */
  "append.confirmed",
] as const;

export const reactSteps = [
  /** What followed from a commit is done. */
  "react.done",
  /** The checkpoint says so. */
  "react.noted",
] as const;

export type AppendStep = (typeof appendSteps)[number];
export type ReactStep = (typeof reactSteps)[number];

/** What is called after a step; nothing goes on until it has returned. Not there in service. */
export type Step<Name> = ((name: Name) => void | Promise<void>) | undefined;

/** As `step(name)`, once what was given to the network has left this process. */
export async function stepSent<Name>(step: Step<Name>, name: Name): Promise<void> {
  if (step === undefined) return;
  await pause(1);
  await step(name);
}
