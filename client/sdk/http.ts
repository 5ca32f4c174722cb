import type { Json } from "@connect-hub/domain/values";
import type { WireError } from "@connect-hub/protocol";
import { HubError, hubError } from "./hubError.ts";

/** The headers of a request with a key, which the server makes if it is left out, and of a session. */
export function httpHeaders(key: string | undefined, token: string | undefined): Record<string, string> {
  return {
    ...(key !== undefined && { "idempotency-key": key }),
    ...(token !== undefined && { authorization: `Bearer ${token}` }),
  };
}

/** How long an answer is waited for by HTTP, in milliseconds; an edge takes 12 s for the longest, the end of a session. */
export const answerTimeoutMs = 15_000;

/**
 * Fetches; resolves when the answer begins. Throws `HubError`: `LineDead` when none came within `timeoutMs`; what `init.signal` was aborted
 * with goes through.
 */
export async function httpFetch(url: URL, init: RequestInit, timeoutMs = answerTimeoutMs): Promise<Response> {
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), timeoutMs);
  const signal = init.signal ? AbortSignal.any([init.signal, late.signal]) : late.signal;
  try {
    return await fetch(url, { ...init, signal });
  } catch (cause) {
    init.signal?.throwIfAborted();
    throw noAnswer(url, cause);
  } finally {
    clearTimeout(timer);
  }
}

/** `LineDead`: nobody at `url` has answered. */
export function noAnswer(url: URL, cause?: unknown): HubError {
  return new HubError("LineDead", { retry: true, cause, message: `no answer from ${url.origin}` });
}

/** What a request came to, and a token that covers it. */
export interface HttpAnswer {
  readonly ok: Json;
  readonly p: string;
}

/** Fetches an answer. Throws as `httpFetch` and `answerIn`. */
export async function httpAnswer(url: URL, init: RequestInit, timeoutMs?: number): Promise<HttpAnswer> {
  return answerIn(await httpFetch(url, init, timeoutMs), init.signal);
}

/** Reads an answer. Throws `HubError`: what the server refused with, `LineDead` when it broke off, `NotAnAnswer`. */
export async function answerIn(response: Response, signal?: AbortSignal | null): Promise<HttpAnswer> {
  const text = await response.text().catch((cause: unknown) => {
    signal?.throwIfAborted();
    throw new HubError("LineDead", { retry: true, cause, message: "the answer broke off" });
  });
  const answer = parsed(text);
  if (typeof answer === "object" && answer !== null) {
    if ("err" in answer) throw hubError(answer.err as WireError);
    if ("ok" in answer && "p" in answer) return answer as HttpAnswer;
  }
  throw notAnAnswer();
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The text `name` of an answer. Throws `HubError`. */
export function textIn(ok: Json, name: string): string {
  const value = typeof ok === "object" && ok !== null ? (ok as { readonly [name: string]: Json })[name] : undefined;
  if (typeof value !== "string") throw new HubError("NotAnAnswer", { message: `no ${name} in the answer` });
  return value;
}

export function notAnAnswer(): HubError {
  return new HubError("NotAnAnswer", { message: "the address answers, but not as a Connect Hub" });
}
