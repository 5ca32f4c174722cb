import { withinTime } from "@connect-hub/domain/kernel";
import type { ServiceEvent } from "@connect-hub/events";
import { badSetting } from "./config.ts";
import { signatureOf } from "./signature.ts";

export interface SendOptions {
  readonly url: string;
  readonly secret: string;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** The receiver did not take an event; the message says why. */
class NotDelivered extends Error {
  override readonly name = "NotDelivered";
}

/** It said that it never will: that is not tried again by itself. */
class Refused extends NotDelivered {
  readonly permanent = true;
}

/** Posts an event and resolves when the receiver answered 2xx. Throws `NotDelivered`; `permanent` stands on what is of no use to repeat. */
export async function send(event: ServiceEvent, { url, secret, timeoutMs, signal }: SendOptions): Promise<void> {
  const body = JSON.stringify(event);
  const timestamp = Math.floor(Date.now() / 1_000);
  const { id } = event;
  const headers = {
    "content-type": "application/json",
    "webhook-id": id,
    "webhook-timestamp": String(timestamp),
    "webhook-signature": signatureOf({ id, timestamp, body }, secret),
  };
  const options = { method: "POST", headers, body, redirect: "manual" } as const;
  const status = await withinTime(timeoutMs, signal, (ended) => statusOf(url, { ...options, signal: ended }));
  if (status >= 200 && status < 300) return;
  const text = `The receiver answered ${status}.`;
  // 408, 425 and 429 say: later. All other 4xx say: never.
  throw status >= 400 && status < 500 && ![408, 425, 429].includes(status) ? new Refused(text) : new NotDelivered(text);
}

/** Throws `BadSetting` for an address that `fetch` would never send to: with a password in it, or at a port of another protocol. */
export async function assertSendable(url: string): Promise<void> {
  const asked = new Error("That would have been sent.");
  const neverSends = {
    dispatch(): never {
      throw asked;
    },
  };
  const options = { method: "POST", dispatcher: neverSends };
  const cause = await fetch(url, options).catch((error: Error) => error.cause ?? error);
  if (cause === asked) return;
  throw badSetting(
    "WEBHOOKS_URL",
    "is an address that nothing is ever sent to: it has a password in it, or a port that is kept for something else.",
  );
}

async function statusOf(url: string, options: RequestInit): Promise<number> {
  try {
    const answer = await fetch(url, options);
    await answer.body?.cancel();
    return answer.status;
  } catch (cause) {
    const why = cause instanceof Error ? (cause.cause instanceof Error ? cause.cause.message : cause.message) : "";
    throw new NotDelivered(`The receiver did not answer: ${why}`, { cause });
  }
}
