/** Bytes of something, the end exclusive. */
export interface ByteRange {
  readonly from: number;
  readonly to: number;
}

/** The one range that a header names within `size` bytes; undefined for none, null for one that can't be given. */
export function byteRange(header: string | undefined, size: number): ByteRange | undefined | null {
  if (header === undefined) return undefined;
  const [, first = "", last = ""] = /^bytes=(\d*)-(\d*)$/.exec(header.trim()) ?? [];
  if (first === "" && last === "") return null;
  const range =
    first === ""
      ? { from: Math.max(0, size - Number(last)), to: size }
      : { from: Number(first), to: last === "" ? size : Math.min(size, Number(last) + 1) };
  return range.from < range.to ? range : null;
}
