import type { Json } from "@connect-hub/domain/values";
import type { WireError } from "@connect-hub/protocol";
import { HubError, hubError } from "./hubError.ts";
import { newKey } from "./newKey.ts";

/** The headers of a request with a key, made if left out, and of a session. */
export function httpHeaders(key: string | undefined, token: string | undefined): Record<string, string> {
  return { "idempotency-key": key ?? newKey(), ...(token !== undefined && { authorization: `Bearer ${token}` }) };
}

/** Fetches. Throws `HubError`: `LineDead` when no answer came; what `init.signal` was aborted with goes through. */
export async function httpFetch(url: URL, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, init);
  } catch (cause) {
    init.signal?.throwIfAborted();
    throw new HubError("LineDead", { retry: true, cause, message: `no answer from ${url.origin}` });
  }
}

/** What a request came to, and a token that covers it. */
export interface HttpAnswer {
  readonly ok: Json;
  readonly p: string;
}

/** Fetches an answer. Throws as `httpFetch` and `answerIn`. */
export async function httpAnswer(url: URL, init: RequestInit): Promise<HttpAnswer> {
  return answerIn(await httpFetch(url, init), init.signal);
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
