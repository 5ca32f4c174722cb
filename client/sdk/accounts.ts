import type { Json } from "@connect-hub/domain/values";
import type { WireError } from "@connect-hub/protocol";
import { uuidv7 } from "uuidv7";
import { HubError, hubError } from "./hubError.ts";

/** What a sign-in gives. Keep `token` secret: it is the session. */
export interface Session {
  readonly user: string;
  readonly session: string;
  readonly token: string;
  /** Covers the sign-in; pass it to `connect`. */
  readonly position: string;
}

/** Where and, for a repetition, with which key. */
export interface AccountOptions {
  /** For example `http://127.0.0.1:7750`. */
  readonly url: string;
  /** A UUIDv7; the same key with the same data is the same request, however often it is sent. Made if left out. */
  readonly key?: string;
}

/** Makes an account. Throws `HubError`. */
export async function register(
  options: AccountOptions & { readonly email: string; readonly password: string; readonly name: string },
): Promise<{ readonly user: string; readonly position: string }> {
  const { email, password, name } = options;
  const { ok, p } = await post(options, "/v1/register", { email, password, name });
  return { user: textIn(ok, "user"), position: p };
}

/** Starts a session. Throws `HubError`, `WrongCredentials` among them. */
export async function signIn(
  options: AccountOptions & { readonly email: string; readonly password: string },
): Promise<Session> {
  const { email, password } = options;
  const { ok, p } = await post(options, "/v1/sign-in", { email, password });
  return { user: textIn(ok, "user"), session: textIn(ok, "session"), token: textIn(ok, "token"), position: p };
}

/** Ends the session of `token`, on all its sockets. Throws `HubError`. */
export async function signOut(options: AccountOptions & { readonly token: string }): Promise<void> {
  await post(options, "/v1/sign-out", {}, options.token);
}

async function post(options: AccountOptions, path: string, body: object, token?: string) {
  const headers: Record<string, string> = {
    "content-type": "application/json",
    "idempotency-key": options.key ?? uuidv7(),
  };
  if (token !== undefined) headers.authorization = `Bearer ${token}`;
  let answer: unknown;
  try {
    const response = await fetch(new URL(path, options.url), { method: "POST", headers, body: JSON.stringify(body) });
    answer = await response.json();
  } catch (cause) {
    throw new HubError("LineDead", { retry: true, cause, message: `no answer from ${options.url}` });
  }
  return readAnswer(answer);
}

function readAnswer(answer: unknown): { readonly ok: Json; readonly p: string } {
  if (typeof answer === "object" && answer !== null) {
    if ("err" in answer) throw hubError(answer.err as WireError);
    if ("ok" in answer && "p" in answer) return answer as { ok: Json; p: string };
  }
  throw new HubError("NotAnAnswer", { message: "the address answers, but not as a Connect Hub" });
}

function textIn(ok: Json, name: string): string {
  const value = typeof ok === "object" && ok !== null ? (ok as { readonly [name: string]: Json })[name] : undefined;
  if (typeof value !== "string") throw new HubError("NotAnAnswer", { message: `no ${name} in the answer` });
  return value;
}
