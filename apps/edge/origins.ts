import type { RequestHead } from "@connect-hub/uws";
import { routeNames } from "./httpRoutes.ts";

type Head = Pick<RequestHead, "headers">;

/** Which pages may use this edge from a browser. A program names no origin, and may. */
export interface Origins {
  /** Whether the request comes from a program, from the edge's own page, or from a page of an allowed origin. */
  allows(head: Head): boolean;
  /** What lets the page read the answer; nothing for who may not. */
  headersFor(head: Head): Readonly<Record<string, string>>;
  /** What is said to a page that asks before it sends: more than `headersFor`. */
  preflightFor(head: Head): Readonly<Record<string, string>>;
}

const methods = [...new Set(["HEAD", ...routeNames.map((route) => route.slice(0, route.indexOf(" ")))])].sort();
const sent =
  "authorization, content-digest, content-type, idempotency-key, if-none-match, if-range, range, upload-offset";
const read = "accept-ranges, content-disposition, content-range, etag, retry-after, upload-length, upload-offset";
/** How long a browser may keep what it was told, in seconds; browsers have bounds of their own. */
const preflightSeconds = 7_200;

/** `allowed`: other origins than the edge's own, such as `https://chat.example.org`. */
export function origins(allowed: readonly string[]): Origins {
  const listed = new Set(allowed);

  function allows({ headers }: Head): boolean {
    const origin = headers.get("origin");
    return origin === undefined || listed.has(origin) || isOwn(origin, headers.get("host"));
  }

  function headersFor(head: Head): Readonly<Record<string, string>> {
    const origin = head.headers.get("origin");
    // A cache must not show one page what another one was told.
    const vary = { vary: "origin" };
    if (origin === undefined || !allows(head)) return vary;
    return { ...vary, "access-control-allow-origin": origin, "access-control-expose-headers": read };
  }

  return {
    allows,
    headersFor,
    preflightFor: (head) => ({
      ...headersFor(head),
      "access-control-allow-methods": methods.join(", "),
      "access-control-allow-headers": sent,
      "access-control-max-age": String(preflightSeconds),
    }),
  };
}

/** A proxy may have taken TLS off: the name and the port are what counts. */
function isOwn(origin: string, host: string | undefined): boolean {
  return (
    host !== undefined && /^https?:\/\//.test(origin) && origin.slice(origin.indexOf("//") + 2) === host.toLowerCase()
  );
}

/** The origins in a setting, parted by commas; undefined when one is none. */
export function readOrigins(setting: string): readonly string[] | undefined {
  const listed = setting
    .split(",")
    .map((one) => one.trim())
    .filter((one) => one !== "");
  return listed.every(isOrigin) ? listed : undefined;
}

function isOrigin(text: string): boolean {
  return URL.canParse(text) && /^https?:/.test(text) && new URL(text).origin === text;
}
