import { type ColumnType, type Row, storableJson, storableText, type Table } from "@connect-hub/domain/kernel";
import type { Json } from "@connect-hub/domain/values";

/** The rows as COPY reads them in its text format, the columns in the order of the table's. */
export function copyText(table: Table, rows: readonly Row[]): Buffer {
  const quick = encode(table, rows, { text: String, json: JSON.stringify });
  // Looking once over everything is much cheaper than looking at each value, and next to nothing is ever found.
  if (quick.isWellFormed() && !quick.includes("\0") && !quick.includes(jsonEscape)) return Buffer.from(quick);
  return Buffer.from(encode(table, rows, { text: (value) => storableText(String(value)), json: storableJson }));
}

interface Encoders {
  readonly text: (value: Json) => string;
  readonly json: (value: Json) => string;
}

function encode(table: Table, rows: readonly Row[], encoders: Encoders): string {
  const columns = Object.entries(table.columns);
  let text = "";
  for (const row of rows) {
    let separator = "";
    for (const [column, type] of columns) {
      text += separator + field(row[column], type, encoders);
      separator = "\t";
    }
    text += "\n";
  }
  return text;
}

function field(value: Json | undefined, type: ColumnType, encoders: Encoders): string {
  if (value === null || value === undefined) return "\\N";
  if (type === "json") return encoders.json(value).replaceAll("\\", "\\\\");
  if (type !== "text") return String(value);
  const text = encoders.text(value);
  return special.test(text) ? text.replaceAll(allSpecial, (character) => escapes[character] ?? character) : text;
}

// https://www.postgresql.org/docs/current/sql-copy.html, text format. JSON text holds only the backslash of these.
const escapes: { readonly [character: string]: string } = { "\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r" };
const special = /[\\\t\n\r]/;
const allSpecial = /[\\\t\n\r]/g;
/** Begins what JSON escapes by its number, among it U+0000 and surrogates that are alone; COPY doubles the backslash. */
const jsonEscape = "\\\\u";
