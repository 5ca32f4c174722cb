import * as z from "zod/mini";
import type { Command, Decision } from "../kernel/command.ts";
import type { DomainEvent, Subject } from "../kernel/event.ts";
import { type FactRef, factRef } from "../kernel/fact.ts";
import type { Json, JsonObject } from "../values/json.ts";
import { limits } from "../values/limits.ts";
import type { RefusalCode } from "../values/rejections.ts";

/** SHA-256, hex. */
export const Hash = z.string().check(z.regex(/^[0-9a-f]{64}$/, "must be 64 hex digits"));
export const FileSize = z.int().check(z.gte(0), z.lte(limits.fileBytes));

/** Text that every store can hold. */
export const text = (max: number) =>
  z.string().check(
    z.minLength(1),
    z.maxLength(max),
    z.refine((value) => value.isWellFormed() && !value.includes("\u0000"), "must be well-formed text without NUL"),
  );

export function event(type: string, subject: Subject, command: Command, data: JsonObject): DomainEvent {
  return { type, subject, by: command.key.actor, data };
}

/** These fields of checked data or of a row, in this order. */
export function pick(from: JsonObject, ...names: readonly string[]): JsonObject {
  return Object.fromEntries(names.map((name) => [name, from[name] ?? null]));
}

export function accept(events: readonly DomainEvent[], result: Json = {}): Decision {
  return { events, result };
}

export function refuse(code: RefusalCode, detail?: Json): Decision {
  return { refused: detail === undefined ? { code } : { code, detail } };
}

/** It is so already. */
export const nothing: Decision = { events: [], result: {} };

export const blobRef = (hash: Json | undefined): FactRef => factRef("blobs", String(hash));
export const blobOf = (hash: Json | undefined): Subject => ({ kind: "blob", id: String(hash) });
