import { type ColumnType, storableJson, storableText } from "@connect-hub/domain/kernel";
import type { Json } from "@connect-hub/domain/values";

/** The Postgres type of a column. */
export const postgresTypes = {
  text: "text",
  int: "int8",
  bool: "bool",
  json: "jsonb",
  instant: "timestamptz",
} as const satisfies { readonly [type in ColumnType]: string };

/** A value in the text form that Postgres reads; null is SQL's NULL, for JSON too. */
export function toPostgres(value: Json | undefined, type: ColumnType): string | null {
  if (value === null || value === undefined) return null;
  if (type === "json") return storableJson(value);
  return type === "text" ? storableText(String(value)) : String(value);
}

/** The value in the text form that Postgres writes with the time zone UTC. */
export function fromPostgres(text: string | null, type: ColumnType): Json {
  if (text === null) return null;
  switch (type) {
    case "text":
      return text;
    case "int":
      return Number(text);
    case "bool":
      return text === "t" || text === "true";
    case "json":
      return JSON.parse(text);
    case "instant":
      return isoInstant(text);
  }
}

/** `2026-11-23 06:21:34.2+00` as `2026-11-23T06:21:34.200Z`. */
export function isoInstant(text: string): string {
  if (text[10] !== " " || !text.endsWith("+00")) return new Date(text).toISOString();
  const fraction = text.length > 22 ? text.slice(20, -3) : "";
  return `${text.slice(0, 10)}T${text.slice(11, 19)}.${fraction.slice(0, 3).padEnd(3, "0")}Z`;
}

/** An array of values in text form as Postgres reads one. */
export function arrayText(values: readonly (string | null)[]): string {
  return `{${values.map((value) => (value === null ? "NULL" : `"${escaped(value)}"`)).join(",")}}`;
}

function escaped(value: string): string {
  return needsArrayEscape.test(value) ? value.replaceAll(/["\\]/g, "\\$&") : value;
}

const needsArrayEscape = /["\\]/;
