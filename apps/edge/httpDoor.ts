import { CommandId, type Json, type JsonObject, limits } from "@connect-hub/domain/values";
import { errorEntry, type WireError, wireError } from "@connect-hub/protocol";
import { type HttpRequest, type HttpResponse, pathParams, type RequestHead } from "@connect-hub/uws";
import { uuidv7 } from "uuidv7";
import { type BytesSources, downloadFile } from "./downloadFile.ts";
import { readableFile } from "./fileRights.ts";
import { answerQuery } from "./queries.ts";
import type { Readiness } from "./readiness.ts";
import { Refused, refusalOf } from "./refusals.ts";
import { whoHas } from "./sessions.ts";
import { answerOf, type DoorSources } from "./socketDoor.ts";
import type { ClientCommand } from "./toCommand.ts";
import { type TransferSlots, whenSent } from "./transferSlots.ts";
import { type UploadSources, uploadFile } from "./uploadFile.ts";

/** What HTTP requests are answered from. */
export interface HttpSources extends DoorSources, BytesSources, UploadSources {
  readonly page: HttpResponse;
  readonly readiness: Readiness;
  readonly downloads: TransferSlots;
  /** Throws `Refused` (`TooManyAttempts`, `Unavailable`) when there were too many from this address or for this e-mail. */
  admitAttempt(kind: "register" | "signIn", ip: string, email: string): Promise<void>;
}

/** Answers a request. Never rejects but for a bug. */
export async function answerHttp(request: HttpRequest, sources: HttpSources): Promise<HttpResponse> {
  try {
    return await route(request, sources);
  } catch (error) {
    const { wire, isBug } = refusalOf(error);
    if (isBug) sources.onBug(error);
    return refusalResponse(wire);
  }
}

/** The answers that the server gives by itself. */
export function refusalToRead(status: 400 | 413 | 500): HttpResponse {
  const names = { 400: "BadFrame", 413: "FrameTooLarge", 500: "Internal" } as const;
  return refusalResponse(wireError(names[status]));
}

/** Whether the body of a request is taken as it comes, because it may be long. */
export function takesStream({ method, path }: RequestHead): boolean {
  return method === "POST" && path === "/v1/files";
}

const patterns = ["/v1/rooms/:id/events", "/v1/rooms/:id/as-of", "/v1/files/:id", "/v1/files/:id/forward"] as const;

function route(request: HttpRequest, sources: HttpSources): Promise<HttpResponse> | HttpResponse {
  const pattern = patterns.find((candidate) => pathParams(candidate, request.path));
  const id = (pattern && pathParams(pattern, request.path)?.id) ?? "";
  const get = request.method === "GET" || request.method === "HEAD";
  switch (`${get ? "GET" : request.method} ${pattern ?? request.path}`) {
    case "GET /":
      return sources.page;
    case "GET /health":
      return json(200, { ok: true });
    case "GET /ready":
      return ready(sources.readiness);
    case "POST /v1/register":
      return enter("register", request, sources);
    case "POST /v1/sign-in":
      return enter("signIn", request, sources);
    case "POST /v1/sign-out":
      return signOut(request, sources);
    case "GET /v1/rooms":
      return query("rooms", {}, request, sources);
    case "GET /v1/rooms/:id/events":
      return query("history", roomInput(id, request.query, ["before", "after", "limit"]), request, sources);
    case "GET /v1/rooms/:id/as-of":
      return query("asOf", roomInput(id, request.query, ["s", "at", "limit"]), request, sources);
    case "POST /v1/files":
      return upload(request, sources);
    case "GET /v1/files/:id":
      return download(id, request, sources);
    case "POST /v1/files/:id/forward":
      return forward(id, request, sources);
    default:
      throw new Refused("NotFound");
  }
}

async function ready(readiness: Readiness): Promise<HttpResponse> {
  const parts = await readiness.check();
  return json(Object.values(parts).every(Boolean) ? 200 : 503, { ok: parts });
}

async function enter(method: "register" | "signIn", request: HttpRequest, sources: HttpSources): Promise<HttpResponse> {
  const data = bodyOf(request);
  const email = typeof data.email === "string" ? data.email.trim().toLowerCase().slice(0, limits.emailLength) : "";
  const key = keyOf(request);
  await sources.admitAttempt(method, request.remoteAddress, email);
  return send({ method, data, key, ...senderOf(request) }, sources);
}

async function signOut(request: HttpRequest, sources: HttpSources): Promise<HttpResponse> {
  const who = await whoHas(tokenOf(request), sources.lanes);
  const data = request.body.byteLength === 0 ? {} : bodyOf(request);
  return send({ method: "signOut", data, key: keyOf(request), who, ...senderOf(request) }, sources);
}

async function upload(request: HttpRequest, sources: HttpSources): Promise<HttpResponse> {
  const who = await whoHas(tokenOf(request), sources.lanes);
  const reply = await uploadFile(request, { key: keyOf(request), who, ...senderOf(request) }, sources);
  return json(201, answerOf(reply));
}

async function download(file: string, request: HttpRequest, sources: HttpSources): Promise<HttpResponse> {
  const { user } = await whoHas(tokenOf(request), sources.lanes);
  await sources.lanes.waitFor(request.query.get("position") ?? undefined);
  const row = await readableFile(file, user, sources.lanes);
  const done = sources.downloads.take(user);
  try {
    return whenSent(await downloadFile(request, row, sources), done);
  } catch (error) {
    done();
    throw error;
  }
}

async function forward(file: string, request: HttpRequest, sources: HttpSources): Promise<HttpResponse> {
  const who = await whoHas(tokenOf(request), sources.lanes);
  const data = { ...bodyOf(request), file };
  const after = request.query.get("position") ?? undefined;
  return send({ method: "forwardFile", data, key: keyOf(request), who, after, ...senderOf(request) }, sources);
}

async function send(command: ClientCommand, sources: HttpSources): Promise<HttpResponse> {
  return json(200, answerOf(await sources.send(command)));
}

async function query(
  name: "rooms" | "history" | "asOf",
  data: JsonObject,
  request: HttpRequest,
  sources: HttpSources,
): Promise<HttpResponse> {
  const { user } = await whoHas(tokenOf(request), sources.lanes);
  const after = request.query.get("position") ?? undefined;
  return json(200, await answerQuery({ name, data, after, user }, sources));
}

function roomInput(room: string, query: URLSearchParams, names: readonly string[]): JsonObject {
  const input: Record<string, Json> = { room };
  for (const name of names) {
    const value = query.get(name);
    if (value !== null) input[name] = /^\d{1,15}$/.test(value) ? Number(value) : value;
  }
  return input;
}

function bodyOf(request: HttpRequest): JsonObject {
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

function keyOf(request: HttpRequest): string {
  const given = request.headers.get("idempotency-key");
  if (given === undefined) return uuidv7();
  if (!CommandId.safeParse(given).success)
    throw new Refused("BadInput", "Idempotency-Key: must be a lower-case UUIDv7");
  return given;
}

function tokenOf(request: HttpRequest): string {
  const [, token] = /^Bearer (\S+)$/i.exec(request.headers.get("authorization") ?? "") ?? [];
  if (token === undefined) throw new Refused("NotAuthenticated");
  return token;
}

function senderOf(request: HttpRequest): { readonly ip: string; readonly userAgent: string } {
  return { ip: request.remoteAddress, userAgent: request.headers.get("user-agent") ?? "" };
}

function refusalResponse(err: WireError): HttpResponse {
  const response = json(errorEntry(err.name).http, { err });
  const headers: Record<string, string> = { ...response.headers };
  if (err.afterMs !== undefined) headers["retry-after"] = String(Math.ceil(err.afterMs / 1_000));
  if (err.name === "BadRange") headers["content-range"] = `bytes */${(err.detail as { readonly size: number }).size}`;
  return { ...response, headers };
}

function json(status: number, body: object): HttpResponse {
  const headers = {
    "content-type": "application/json",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
  };
  return { status, headers, body: JSON.stringify(body) };
}
