/** A UUIDv7 (RFC 9562) of an instant in milliseconds, now if left out: the key of one command. Works on pages without TLS too. */
export function newKey(atMs = Date.now()): string {
  const bytes = crypto.getRandomValues(new Uint8Array(10));
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const time = Math.round(atMs).toString(16).padStart(12, "0");
  const variant = (8 + ((bytes[2] ?? 0) & 3)).toString(16);
  return `${time.slice(0, 8)}-${time.slice(8)}-7${hex.slice(0, 3)}-${variant}${hex.slice(5, 8)}-${hex.slice(8)}`;
}
