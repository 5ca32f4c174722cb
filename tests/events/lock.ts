import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import type { CatalogedEvent } from "@connect-hub/domain/kernel";
import type { EventSample } from "@connect-hub/domain/testing";
import { canonicalJson, type Json, type JsonObject } from "@connect-hub/domain/values";

/** What of an event's version may never change: its bytes may lie on anybody's log. */
export interface LockedEvent {
  readonly context: string;
  readonly subject: string;
  readonly sealed: readonly string[];
  /** JSON Schema of `data`, without the descriptions. */
  readonly data: Json;
  /** SHA-256 (hex) of its golden sample's stored bytes. */
  readonly sample: string;
}

/** By type. */
export type Lock = { readonly [type: string]: LockedEvent };

export const lockFile = new URL("../../domain/events.lock.json", import.meta.url);

export function readLock(): Lock {
  return existsSync(lockFile) ? (JSON.parse(readFileSync(lockFile, "utf8")) as Lock) : {};
}

/** What the code says today. */
export function lockOf(catalog: readonly CatalogedEvent[], samples: ReadonlyMap<string, EventSample>): Lock {
  const entries = catalog.map(({ type, context, subject, sealed, data }): [string, LockedEvent] => {
    const stored = samples.get(type)?.stored ?? "";
    const sample = createHash("sha256").update(stored).digest("hex");
    return [type, { context, subject, sealed, data: withoutDescriptions(data), sample }];
  });
  return Object.fromEntries(entries);
}

/** Why `now` may not take the place of `before`; nothing if it only has more. */
export function lockProblems(before: Lock, now: Lock): string[] {
  return Object.entries(before).flatMap(([type, locked]) => {
    const found = now[type];
    if (found === undefined)
      return [`${type} is gone, but logs hold such events: keep it among oldEvents, with its upcaster`];
    const changed = (Object.keys(locked) as (keyof LockedEvent)[]).filter(
      (field) => canonicalJson(locked[field] as Json) !== canonicalJson(found[field] as Json),
    );
    if (changed.length === 0) return [];
    const next = nextVersion(type);
    return [
      `${type} has another ${changed.join(", ")} than what logs hold: leave it as it was, make ${next} and an upcaster (docs/events.md says how)`,
    ];
  });
}

function nextVersion(type: string): string {
  return type.replace(/\d+$/, (version) => String(Number(version) + 1));
}

function withoutDescriptions(schema: Json): Json {
  if (Array.isArray(schema)) return schema.map(withoutDescriptions);
  if (typeof schema !== "object" || schema === null) return schema;
  // A property of that name holds a schema, the keyword a text.
  const kept = Object.entries(schema as JsonObject).filter(
    ([name, value]) => name !== "description" || typeof value !== "string",
  );
  return Object.fromEntries(kept.map(([name, value]) => [name, withoutDescriptions(value)]));
}
