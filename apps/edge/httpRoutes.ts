import { type Json, type JsonObject, limits } from "@connect-hub/domain/values";
import { isSocketCommand } from "@connect-hub/protocol";
import { type HttpRequest, type HttpResponse, pathParams } from "@connect-hub/uws";
import { okJson } from "./connection.ts";
import { type BytesSources, downloadFile } from "./downloadFile.ts";
import { readableFile } from "./fileRights.ts";
import { bodyOf, json, jsonText, keyOf, positionOf, senderOf, tokenOf } from "./httpMessages.ts";
import type { Origins } from "./origins.ts";
import { answerQuery } from "./queries.ts";
import type { Readiness } from "./readiness.ts";
import { Refused } from "./refusals.ts";
import { beginUpload, dropUpload, goOnWithUpload, lookAtUpload } from "./resumableUploads.ts";
import { type Who, whileSession, whoHas } from "./sessions.ts";
import { answerOf, type DoorSources } from "./socketDoor.ts";
import type { ClientCommand } from "./toCommand.ts";
import { type TransferSlots, whenSent } from "./transferSlots.ts";
import { type UploadSources, uploadFile } from "./uploadFile.ts";

/** What HTTP requests are answered from. */
export interface HttpSources extends DoorSources, BytesSources, UploadSources {
  readonly origins: Origins;
  readonly page: HttpResponse;
  readonly openApi: HttpResponse;
  readonly readiness: Readiness;
  readonly downloads: TransferSlots;
  /** Commands and queries of one session that are not answered yet. */
  readonly asking: TransferSlots;
  /** Throws `Refused` (`TooManyAttempts`, `Unavailable`) when there were too many from this address or for this e-mail. */
  admitAttempt(kind: "register" | "signIn", ip: string, email: string): Promise<void>;
}

type Handler = (request: HttpRequest, sources: HttpSources, param: string) => Promise<HttpResponse> | HttpResponse;

/**
 * All that is answered over HTTP, by method and path; HEAD is answered as GET. A path has at most one parameter. `openApi.ts` says
 * of each what it takes and gives.
 */
export const routes = {
  "GET /": (_, { page }) => page,
  "GET /health": () => json(200, { ok: true }),
  "GET /ready": (_, { readiness }) => ready(readiness),
  "GET /v1/openapi.json": (_, { openApi }) => openApi,
  "POST /v1/register": (request, sources) => enter("register", request, sources),
  "POST /v1/sign-in": (request, sources) => enter("signIn", request, sources),
  "POST /v1/sign-out": (request, sources) => command("signOut", bodyOf(request), request, sources),
  "POST /v1/commands/:method": (request, sources, method) => command(method, bodyOf(request), request, sources),
  "POST /v1/queries/:name": (request, sources, name) => query(name, bodyOf(request), request, sources),
  "GET /v1/rooms": (request, sources) => query("rooms", {}, request, sources),
  "GET /v1/rooms/:id/events": (request, sources, id) =>
    query("history", roomInput(id, request.query, ["before", "after", "limit"]), request, sources),
  "GET /v1/rooms/:id/as-of": (request, sources, id) =>
    query("asOf", roomInput(id, request.query, ["s", "at", "limit"]), request, sources),
  "POST /v1/files": (request, sources) => upload(request, sources),
  "POST /v1/uploads": (request, sources) => resumable(beginUpload, "", request, sources),
  "GET /v1/uploads/:id": (request, sources, id) => resumable(lookAtUpload, id, request, sources),
  "PATCH /v1/uploads/:id": (request, sources, id) => resumable(goOnWithUpload, id, request, sources),
  "DELETE /v1/uploads/:id": (request, sources, id) => resumable(dropUpload, id, request, sources),
  "GET /v1/files/:id": (request, sources, id) => download(id, request, sources),
  "POST /v1/files/:id/forward": (request, sources, file) =>
    command("forwardFile", { ...bodyOf(request), file }, request, sources),
} as const satisfies { readonly [route: `${"GET" | "POST" | "PATCH" | "DELETE"} /${string}`]: Handler };

/** The method and the path of a route. */
export type RouteName = keyof typeof routes;

/** All of them. */
export const routeNames = Object.keys(routes) as readonly RouteName[];

/** The route of a request, and the parameter in its path. */
export function routeOf(
  method: string,
  path: string,
): { readonly route: RouteName; readonly param: string } | undefined {
  const asked = method === "HEAD" ? "GET" : method;
  for (const route of routeNames) {
    const [itsMethod = "", pattern = ""] = route.split(" ");
    const params = itsMethod === asked ? pathParams(pattern, path) : undefined;
    if (params !== undefined) return { route, param: Object.values<string>(params)[0] ?? "" };
  }
  return undefined;
}

async function ready(readiness: Readiness): Promise<HttpResponse> {
  const parts = await readiness.check();
  return json(Object.values(parts).every(Boolean) ? 200 : 503, { ok: parts });
}

async function enter(method: "register" | "signIn", request: HttpRequest, sources: HttpSources): Promise<HttpResponse> {
  const data = bodyOf(request);
  const email = typeof data.email === "string" ? data.email.trim().toLowerCase().slice(0, limits.emailLength) : "";
  const key = keyOf(request, sources.lanes.clock.now());
  await sources.admitAttempt(method, request.remoteAddress, email);
  return send({ method, data, key, ...senderOf(request) }, sources);
}

async function command(
  method: string,
  data: JsonObject,
  request: HttpRequest,
  sources: HttpSources,
): Promise<HttpResponse> {
  return asked(method, request, sources, (who) => {
    if (!isSocketCommand(method)) throw new Refused("UnknownMethod", method);
    const after = positionOf(request);
    const key = keyOf(request, sources.lanes.clock.now());
    return send({ method, data, key, who, after, ...senderOf(request) }, sources);
  });
}

async function query(
  name: string,
  data: JsonObject,
  request: HttpRequest,
  sources: HttpSources,
): Promise<HttpResponse> {
  return asked(name, request, sources, async (who) =>
    jsonText(200, okJson(await answerQuery({ name, data, after: positionOf(request), who }, sources))),
  );
}

/** Who asks for `name`, within the budgets of their address and their own. Throws `Refused` and as `whoHas`. */
async function whoAsks(name: string, request: HttpRequest, { budgets, lanes }: HttpSources): Promise<Who> {
  const token = tokenOf(request);
  // First, since it is not known yet whether the token is one.
  budgets.admitAddress(request.remoteAddress);
  const who = await whoHas(token, lanes);
  budgets.admitRequest(who.user, name);
  return who;
}

/** What `answer` comes to for the session of the request, of which only so many are under way. */
async function asked(
  name: string,
  request: HttpRequest,
  sources: HttpSources,
  answer: (who: Who) => Promise<HttpResponse>,
): Promise<HttpResponse> {
  const who = await whoAsks(name, request, sources);
  const done = sources.asking.take(who.session);
  try {
    return await answer(who);
  } finally {
    done();
  }
}

async function upload(request: HttpRequest, sources: HttpSources): Promise<HttpResponse> {
  const who = await whoAsks("claimFile", request, sources);
  const key = keyOf(request, sources.lanes.clock.now());
  const reply = await uploadFile(request, { key, who, ...senderOf(request) }, sources);
  return json(201, answerOf(reply));
}

async function resumable(
  act: typeof beginUpload,
  id: string,
  request: HttpRequest,
  sources: HttpSources,
): Promise<HttpResponse> {
  const who = await whoHas(tokenOf(request), sources.lanes);
  const key = id === "" ? keyOf(request, sources.lanes.clock.now()) : id;
  return act(request, { key, who, ...senderOf(request) }, sources);
}

async function download(file: string, request: HttpRequest, sources: HttpSources): Promise<HttpResponse> {
  const who = await whoAsks("readFile", request, sources);
  await sources.lanes.waitFor(positionOf(request));
  const row = await readableFile(file, who.user, sources.lanes);
  const done = sources.downloads.take(who.user);
  try {
    return whenSent(whileSession(await downloadFile(request, row, sources), who, sources.lanes), done);
  } catch (error) {
    done();
    throw error;
  }
}

async function send(command: ClientCommand, sources: HttpSources): Promise<HttpResponse> {
  return json(200, answerOf(await sources.send(command)));
}

function roomInput(room: string, query: URLSearchParams, names: readonly string[]): JsonObject {
  const input: Record<string, Json> = { room };
  for (const name of names) {
    const value = query.get(name);
    if (value !== null) input[name] = /^\d{1,15}$/.test(value) ? Number(value) : value;
  }
  return input;
}
