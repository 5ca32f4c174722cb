import { randomUUID } from "node:crypto";
import { derivedId } from "@connect-hub/domain/kernel";
import { CommandId, type JsonObject } from "@connect-hub/domain/values";
import { errorEntry, type WireError } from "@connect-hub/protocol";
import type { HttpRequest, HttpResponse } from "@connect-hub/uws";
import { Refused } from "./refusals.ts";

/** The body, an object; an empty one is `{}`. Throws `Refused` (`BadJson`, `BadInput`). */
export function bodyOf(request: HttpRequest): JsonObject {
  if (request.body.byteLength === 0) return {};
  let parsed: unknown;
  try {
    parsed = JSON.parse(Buffer.from(request.body).toString());
  } catch {
    throw new Refused("BadJson");
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed))
    throw new Refused("BadInput", "an object");
  return parsed as JsonObject;
}

/** A new key, dated `nowMs`. */
export const newKey = (nowMs: number): string => derivedId(nowMs, randomUUID());

/** The command's key, or a new one, dated `nowMs`. Throws `Refused` (`BadInput`). */
export function keyOf(request: HttpRequest, nowMs: number): string {
  const given = request.headers.get("idempotency-key");
  if (given === undefined) return newKey(nowMs);
  if (!CommandId.safeParse(given).success)
    throw new Refused("BadInput", "Idempotency-Key: must be a lower-case UUIDv7");
  return given;
}

/** The session's token. Throws `Refused` (`NotAuthenticated`). */
export function tokenOf(request: HttpRequest): string {
  const [, token] = /^Bearer (\S+)$/i.exec(request.headers.get("authorization") ?? "") ?? [];
  if (token === undefined) throw new Refused("NotAuthenticated");
  return token;
}

/** What the client was told before, and the answer has to see. */
export function positionOf(request: HttpRequest): string | undefined {
  return request.query.get("position") ?? undefined;
}

/** Where a command comes from. */
export function senderOf(request: HttpRequest): { readonly ip: string; readonly userAgent: string } {
  return { ip: request.remoteAddress, userAgent: request.headers.get("user-agent") ?? "" };
}

/** An answer in JSON, that nobody keeps. */
export function json(status: number, body: object): HttpResponse {
  return jsonText(status, JSON.stringify(body));
}

/** The same of what is JSON already. */
export function jsonText(status: number, body: string): HttpResponse {
  const headers = {
    "content-type": "application/json",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
  };
  return { status, headers, body };
}

/** An error as an answer. */
export function refusalResponse(err: WireError): HttpResponse {
  const response = json(errorEntry(err.name).http, { err });
  const headers: Record<string, string> = { ...response.headers };
  if (err.afterMs !== undefined) headers["retry-after"] = String(Math.ceil(err.afterMs / 1_000));
  if (err.name === "BadRange") headers["content-range"] = `bytes */${(err.detail as { readonly size: number }).size}`;
  return { ...response, headers };
}
