import Table from "cli-table3";

/** A table for people: coloured on a terminal, plain where a program or a file reads it. */
export function textTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const plain = { head: [], border: [] };
  const table = new Table({ head: [...head], style: process.stdout.isTTY ? { head: ["bold"], border: [] } : plain });
  table.push(...rows.map((row) => [...row]));
  return table.toString();
}
