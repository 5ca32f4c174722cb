import * as z from "zod/mini";
import type { LaneId } from "./ids.ts";

/**
 * How far somebody has been told: for each lane the epoch (its first 8 hex digits) and the number of a commit. A client
 * treats the token as opaque, but for `mergeTokens`.
 */
export type Position = { readonly [lane in LaneId]?: readonly [epoch8: string, n: number] };

const PositionShape = z.record(
  z.string().check(z.regex(/^(accounts|rooms|content)\.\d{1,4}$/)),
  z.tuple([z.string().check(z.regex(/^[0-9a-f]{8}$/)), z.int().check(z.gte(0))]),
);
const prefix = "p1.";
const maxTokenLength = 4_096;

/** The position of commit `n` of one lane. */
export function positionAt(lane: LaneId, epoch8: string, n: number): Position {
  const at: readonly [string, number] = [epoch8, n];
  return { [lane]: at };
}

/** The token for `position`: `p1.` and the base64url of its JSON, lanes in order. */
export function encodePosition(position: Position): string {
  const lanes = Object.entries(position).sort(([a], [b]) => (a < b ? -1 : 1));
  return prefix + toBase64Url(JSON.stringify(Object.fromEntries(lanes)));
}

/** The position in `token`, or undefined if it is none. */
export function decodePosition(token: string): Position | undefined {
  if (!token.startsWith(prefix) || token.length > maxTokenLength) return undefined;
  try {
    const parsed = z.safeParse(PositionShape, JSON.parse(fromBase64Url(token.slice(prefix.length))));
    return parsed.success ? (parsed.data as Position) : undefined;
  } catch {
    return undefined;
  }
}

/**
 * The token that is as far as both. Of two epochs of one lane the later token's counts: the older one's commits may be
 * gone.
 */
export function mergeTokens(earlier: string | undefined, later: string): string {
  const a = earlier === undefined ? undefined : decodePosition(earlier);
  const b = decodePosition(later);
  if (a === undefined || b === undefined) return b === undefined && earlier !== undefined ? earlier : later;
  const merged: Record<LaneId, readonly [string, number] | undefined> = { ...a };
  for (const [lane, there] of Object.entries(b) as [LaneId, readonly [string, number]][]) {
    const here = merged[lane];
    if (here === undefined || here[0] !== there[0] || there[1] > here[1]) merged[lane] = there;
  }
  return encodePosition(merged);
}

function toBase64Url(text: string): string {
  return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

function fromBase64Url(text: string): string {
  return atob(text.replaceAll("-", "+").replaceAll("_", "/"));
}
