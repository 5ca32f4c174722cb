import { createHash } from "node:crypto";
import { canonicalJson, type Json, type JsonObject } from "../values/json.ts";
import type { Row, Table } from "./fact.ts";

// What "the same rows" means, whoever keeps them. Postgres holds no U+0000 and no lone surrogates, neither in text nor
// in jsonb, so both stand as U+FFFD wherever rows are compared. Input with either is refused long before.

const unstorable = /\\u(?:0000|d[89a-f])/;

/** `text` as every store can hold it: each U+0000 and each lone surrogate becomes U+FFFD. */
export function storableText(text: string): string {
  const whole = text.isWellFormed() ? text : text.toWellFormed();
  return whole.includes("\0") ? whole.replaceAll("\0", "\ufffd") : whole;
}

/** The JSON text of `value` as every store can hold it. */
export function storableJson(value: Json): string {
  const text = JSON.stringify(value);
  return unstorable.test(text) ? JSON.stringify(storable(value)) : text;
}

/** A row as one line: the values in the order of the table's columns, as canonical JSON. */
export function canonicalRow(table: Table, row: Row): string {
  const values = Object.keys(table.columns).map((column) => row[column] ?? null);
  const text = canonicalJson(values);
  return unstorable.test(text) ? canonicalJson(storable(values)) : text;
}

/** Orders rows by their key: numbers by value, texts by code point, as Postgres does under the collation "C". */
export function compareByKey(table: Table, a: Row, b: Row): number {
  for (const column of table.key) {
    const [here, there] = [a[column], b[column]];
    if (here === there) continue;
    if (typeof here === "number" && typeof there === "number") return here - there;
    return compareTexts(storableText(String(here)), storableText(String(there)));
  }
  return 0;
}

/** SHA-256 (hex) over canonical rows in the order of their keys, each with a line feed after it. */
export function tableDigest(): { add(canonicalRow: string): void; hex(): string } {
  const hash = createHash("sha256");
  return {
    add: (row) => void hash.update(row).update("\n"),
    hex: () => hash.digest("hex"),
  };
}

function storable(value: Json): Json {
  if (typeof value === "string") return storableText(value);
  if (value === null || typeof value !== "object") return value;
  if (Array.isArray(value)) return value.map(storable);
  const members = Object.entries(value as JsonObject).map(([name, member]) => [storableText(name), storable(member)]);
  return Object.fromEntries(members) as JsonObject;
}

/** UTF-16 orders the surrogates before U+E000 … U+FFFF; code points come after them. */
function compareTexts(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let index = 0; index < length; index++) {
    const [here, there] = [a.charCodeAt(index), b.charCodeAt(index)];
    if (here !== there) return codePointRank(here) - codePointRank(there);
  }
  return a.length - b.length;
}

function codePointRank(unit: number): number {
  if (unit < 0xd800) return unit;
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800;
}
