import type { HttpResponse } from "./server.ts";

/** Two lengths, or a length and chunks: two readers may see two different requests. */
export function hasTwoLengths(headers: ReadonlyMap<string, string>): boolean {
  const length = headers.get("content-length");
  return length !== undefined && (length.includes(",") || headers.has("transfer-encoding"));
}

/** A line break in a header would begin another header, or another answer. */
export function assertHeaders(headers: HttpResponse["headers"]): void {
  for (const [name, value] of Object.entries(headers ?? {})) {
    if (/[\r\n\0]/.test(name + value)) throw new TypeError(`the header ${JSON.stringify(name)} has a line break in it`);
  }
}
