import { httpAnswer, httpHeaders, textIn } from "./http.ts";

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
  /** A UUIDv7; the same key with the same data is the same request, however often it is sent. The server makes one if it is left out. */
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

function post(options: AccountOptions, path: string, body: object, token?: string) {
  return httpAnswer(new URL(path, options.url), {
    method: "POST",
    headers: { "content-type": "application/json", ...httpHeaders(options.key, token) },
    body: JSON.stringify(body),
  });
}
