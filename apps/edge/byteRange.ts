/** Bytes `from` (inclusive) to `to` (exclusive). */
export interface ByteRange {
  readonly from: number;
  readonly to: number;
}

/**
 * The one range that a `Range` header asks for, of `size` bytes: `none` when it asks for several, or is no range of bytes (RFC 9110
 * says to leave both out of account), `bad` when it lies outside.
 */
export function byteRange(header: string | undefined, size: number): ByteRange | "none" | "bad" {
  const [, first = "", last = ""] = /^bytes=\s*(\d*)-(\d*)\s*$/i.exec(header ?? "") ?? [];
  if (first === "" && last === "") return "none";
  if (first === "") {
    const from = Math.max(0, size - Number(last));
    return from < size ? { from, to: size } : "bad";
  }
  if (last !== "" && Number(last) < Number(first)) return "none";
  const from = Number(first);
  const to = last === "" ? size : Math.min(size, Number(last) + 1);
  return from < size ? { from, to } : "bad";
}
