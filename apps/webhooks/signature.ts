import { createHmac, timingSafeEqual } from "node:crypto";

/** What is signed: which delivery, when, and the body's bytes. */
export interface Signed {
  readonly id: string;
  /** Seconds since 1970. */
  readonly timestamp: number;
  readonly body: string;
}

/** The text of the header `webhook-signature`: `v1,` and the base64 of HMAC-SHA-256 over `<id>.<timestamp>.<body>`. */
export function signatureOf({ id, timestamp, body }: Signed, secret: string): string {
  return `v1,${createHmac("sha256", secret).update(`${id}.${timestamp}.${body}`).digest("base64")}`;
}

/** Whether a signature is right: what a receiver does. It also has to refuse a timestamp that is minutes old. */
export function isSignedBy(signed: Signed, signature: string, secret: string): boolean {
  const [given, right] = [Buffer.from(signature), Buffer.from(signatureOf(signed, secret))];
  return given.byteLength === right.byteLength && timingSafeEqual(given, right);
}
