import { createHash, timingSafeEqual } from "node:crypto";
import { type DomainEvent, factRef, type Row } from "@connect-hub/domain/kernel";
import { Id } from "@connect-hub/domain/values";
import type { HttpResponse } from "@connect-hub/uws";
import { type EdgeLanes, knowFacts, rowAt } from "./edgeLanes.ts";
import { assertLease } from "./lease.ts";
import { Refused } from "./refusals.ts";

/** Who a token speaks for. */
export interface Who {
  readonly user: string;
  readonly session: string;
  /** Null once the account was erased. */
  readonly name: string | null;
}

const tokenPattern = /^([0-9a-f-]{36})\.([A-Za-z0-9_-]{43})$/;

/**
 * Who `token` speaks for, as of the lane's head at the call: a sign-in counts at once, and so does its end. Throws `Refused`
 * (`NotAuthenticated`, `SessionEnded`, `AccountClosed`), `LogUnavailable`, also when this edge has no lease, or `FactsUnavailable`.
 */
export async function whoHas(token: string, lanes: EdgeLanes): Promise<Who> {
  const [, session = "", secret = ""] = tokenPattern.exec(token) ?? [];
  if (!Id.safeParse(session).success) throw new Refused("NotAuthenticated");
  const { view } = lanes.accounts;
  await lanes.fresh([lanes.accounts]);
  const sessionRef = factRef("sessions", session);
  await knowFacts(lanes.accounts, [sessionRef]);
  const row = rowAt(view, sessionRef);
  if (row === null || !hashesTo(secret, String(row.token_hash))) throw new Refused("SessionEnded");
  const userRef = factRef("users", String(row.user_id));
  await knowFacts(lanes.accounts, [userRef]);
  assertLease(lanes.lease);
  // Both again, in one tick: either may have changed while the other was loaded.
  const user = rowAt(view, userRef);
  const problem = problemOf(rowAt(view, sessionRef), user);
  if (problem !== undefined || user === null) throw new Refused(problem ?? "SessionEnded");
  // The text of the token is not kept for a part of it.
  return { user: String(user.id), session: String(row.id), name: user.name === null ? null : String(user.name) };
}

/**
 * Whether the session still holds as of the follower's head, without waiting; false when that is not known. Throws `SubjectParked`, and
 * `LogUnavailable` when this edge has no lease.
 */
export function sessionHolds(
  who: Pick<Who, "user" | "session">,
  { accounts: { view }, lease }: Pick<EdgeLanes, "accounts" | "lease">,
): boolean {
  assertLease(lease);
  const session = view.get(factRef("sessions", who.session)) ?? null;
  const user = view.get(factRef("users", who.user)) ?? null;
  return problemOf(session, user) === undefined;
}

/**
 * Throws `Refused` (`SessionEnded`, `AccountClosed`) unless the session holds as of the follower's head, `LogUnavailable` when this edge has
 * no lease; else as `knowFacts`.
 */
export async function assertSession(
  who: Pick<Who, "user" | "session">,
  { accounts, lease }: Pick<EdgeLanes, "accounts" | "lease">,
): Promise<void> {
  const [session, user] = [factRef("sessions", who.session), factRef("users", who.user)] as const;
  const isKnown = accounts.view.knows(session) && accounts.view.knows(user);
  if (!isKnown) await knowFacts(accounts, [session, user]);
  assertLease(lease);
  const problem = problemOf(rowAt(accounts.view, session), rowAt(accounts.view, user));
  if (problem !== undefined) throw new Refused(problem);
}

/** The response, of which each piece is sent only while the session holds; then it is cut. */
export function whileSession(
  response: HttpResponse,
  who: Pick<Who, "user" | "session">,
  lanes: EdgeLanes,
): HttpResponse {
  const { body } = response;
  if (typeof body !== "object" || body instanceof Uint8Array) return response;
  return {
    ...response,
    body: {
      ...body,
      async *stream(gone) {
        for await (const piece of body.stream(gone)) {
          await assertSession(who, lanes);
          yield piece;
        }
      },
    },
  };
}

function problemOf(session: Row | null, user: Row | null): "SessionEnded" | "AccountClosed" | undefined {
  if (session === null || user === null) return "SessionEnded";
  if (user.status !== "active") return "AccountClosed";
  return Number(session.generation) < Number(user.sessions_from) ? "SessionEnded" : undefined;
}

function hashesTo(secret: string, tokenHash: string): boolean {
  const given = createHash("sha256").update(secret).digest();
  const stored = Buffer.from(tokenHash, "hex");
  return given.length === stored.length && timingSafeEqual(given, stored);
}

/** Which sessions an event of the accounts lane ends: one, or all of an account. */
export function endedBy(
  event: DomainEvent,
):
  | { readonly session: string; readonly name: "SessionEnded" }
  | { readonly user: string; readonly name: "AccountClosed" }
  | undefined {
  if (event.type === "SessionEnded.v1") return { session: String(event.data.session), name: "SessionEnded" };
  if (event.type === "AccountClosed.v1") return { user: event.subject.id, name: "AccountClosed" };
  return undefined;
}
