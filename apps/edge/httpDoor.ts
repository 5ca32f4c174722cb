import { wireError } from "@connect-hub/protocol";
import type { HttpRequest, HttpResponse, RequestHead } from "@connect-hub/uws";
import { refusalResponse } from "./httpMessages.ts";
import { type HttpSources, routeOf, routes } from "./httpRoutes.ts";
import { Refused, refusalOf } from "./refusals.ts";

/** Answers a request. Never rejects but for a bug. */
export async function answerHttp(request: HttpRequest, sources: HttpSources): Promise<HttpResponse> {
  try {
    const found = routeOf(request.method, request.path);
    if (found === undefined) throw new Refused("NotFound");
    return await routes[found.route](request, sources, found.param);
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
