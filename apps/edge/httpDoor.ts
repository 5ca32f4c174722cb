import { wireError } from "@connect-hub/protocol";
import type { HttpRequest, HttpResponse, RequestHead } from "@connect-hub/uws";
import { refusalResponse } from "./httpMessages.ts";
import { type HttpSources, routeOf, routes } from "./httpRoutes.ts";
import type { Origins } from "./origins.ts";
import { Refused, refusalOf } from "./refusals.ts";

/** Answers a request. Never rejects but for a bug. */
export async function answerHttp(request: HttpRequest, sources: HttpSources): Promise<HttpResponse> {
  try {
    return guarded(await answer(request, sources), request, sources.origins);
  } catch (error) {
    const { wire, isBug } = refusalOf(error);
    if (isBug) sources.onBug(error);
    return guarded(refusalResponse(wire), request, sources.origins);
  }
}

/** A page of another origin may look at what anybody may, but the browser does not show it what comes; it may not do anything. */
function answer(request: HttpRequest, sources: HttpSources): Promise<HttpResponse> | HttpResponse {
  const { origins } = sources;
  const looks = request.method === "GET" || request.method === "HEAD";
  if (!looks && !origins.allows(request)) throw new Refused("OriginNotAllowed");
  if (request.method === "OPTIONS" && request.headers.has("access-control-request-method"))
    return { status: 204, headers: origins.preflightFor(request) };
  const found = routeOf(request.method, request.path);
  if (found === undefined) throw new Refused("NotFound");
  return routes[found.route](request, sources, found.param);
}

/** The answers that the server gives by itself. */
export function refusalToRead(status: 400 | 413 | 500, head: RequestHead, origins: Origins): HttpResponse {
  const names = { 400: "BadFrame", 413: "FrameTooLarge", 500: "Internal" } as const;
  return guarded(refusalResponse(wireError(names[status])), head, origins);
}

/** What a page is told that may not open a socket; undefined for who may. */
export function refusalToUpgrade(head: Pick<RequestHead, "headers">, origins: Origins): HttpResponse | undefined {
  if (origins.allows(head)) return undefined;
  return guarded(refusalResponse(wireError("OriginNotAllowed")), head, origins);
}

/** On every answer: it is what it says it is, shows up in no frame, runs nothing, and tells no other site where it was. */
const securityHeaders = {
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
};

function guarded(response: HttpResponse, head: Pick<RequestHead, "headers">, origins: Origins): HttpResponse {
  return { ...response, headers: { ...securityHeaders, ...origins.headersFor(head), ...response.headers } };
}

/** Whether the body of a request is taken as it comes, because it may be long. */
export function takesStream({ method, path }: RequestHead): boolean {
  return (method === "POST" && path === "/v1/files") || (method === "PATCH" && path.startsWith("/v1/uploads/"));
}
