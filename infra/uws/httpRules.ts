import type { HttpResponse } from "./server.ts";

/**
 * Bytes of the request line and all headers, the empty line behind them too. The library holds a head that comes in several pieces to it, and
 * takes what comes in one piece up to its receive buffer of 512 KiB.
 */
export const headBytes = 16_384;

/** Whether a head has more bytes than `headBytes`. */
export function isHeadTooLarge(
  method: string,
  path: string,
  query: string,
  headers: ReadonlyMap<string, string>,
): boolean {
  let bytes = `${method} ${path} HTTP/1.1\r\n\r\n`.length + (query === "" ? 0 : query.length + 1);
  for (const [name, value] of headers) bytes += name.length + value.length + ": \r\n".length;
  return bytes > headBytes;
}

/** Two lengths, a length and chunks, or an encoding that is not just chunks: two readers may see two different requests. */
export function hasTwoReadings(headers: ReadonlyMap<string, string>): boolean {
  const length = headers.get("content-length");
  const encoding = headers.get("transfer-encoding");
  if (encoding !== undefined && (length !== undefined || encoding.toLowerCase() !== "chunked")) return true;
  return length?.includes(",") === true;
}

/** A line break in a header would begin another header, or another answer. */
export function assertHeaders(headers: HttpResponse["headers"]): void {
  for (const [name, value] of Object.entries(headers ?? {})) {
    if (/[\r\n\0]/.test(name + value)) throw new TypeError(`the header ${JSON.stringify(name)} has a line break in it`);
  }
}
