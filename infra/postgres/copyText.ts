import type { Row, Table } from "@connect-hub/domain/kernel";
import { toPostgres } from "./valueText.ts";

/** The rows as COPY reads them in its text format, the columns in the order of the table's. */
export function copyText(table: Table, rows: readonly Row[]): Buffer {
  const columns = Object.entries(table.columns);
  const lines = rows.map((row) => columns.map(([column, type]) => field(toPostgres(row[column], type))).join("\t"));
  return Buffer.from(`${lines.join("\n")}\n`);
}

function field(text: string | null): string {
  if (text === null) return "\\N";
  return special.test(text) ? text.replaceAll(allSpecial, (character) => escapes[character] ?? character) : text;
}

// https://www.postgresql.org/docs/current/sql-copy.html, text format.
const escapes: { readonly [character: string]: string } = { "\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r" };
const special = /[\\\t\n\r]/;
const allSpecial = /[\\\t\n\r]/g;
