/** What the strikes at one place showed: how many there were, and how much was found, column by column. */
export interface Row {
  /** A failpoint, or what was done. */
  readonly place: string;
  readonly hits: number;
  readonly found: { readonly [column: string]: number };
}

/** What was found after one strike, in words, by column. */
export type Found<Column extends string> = { readonly [column in Column]: readonly string[] };

/** Counts strikes and what came of them, place by place. */
export class Tally<Column extends string> {
  readonly faults: string[] = [];
  readonly #rows = new Map<string, Row>();
  readonly #columns: readonly Column[];

  /** `places`: all that there must be a hit at. */
  constructor(places: readonly string[], columns: readonly Column[]) {
    this.#columns = columns;
    for (const place of places) this.#rows.set(place, this.#rowOf(place));
  }

  get rows(): readonly Row[] {
    return [...this.#rows.values()];
  }

  add(place: string, hits: number, found: Found<Column>): void {
    const before = this.#rowOf(place);
    const counts = this.#columns.map((name) => [name, (before.found[name] ?? 0) + found[name].length]);
    this.#rows.set(place, { place, hits: before.hits + hits, found: Object.fromEntries(counts) });
    for (const what of this.#columns) this.faults.push(...found[what].map((text) => `${place}: ${what}: ${text}`));
  }

  #rowOf(place: string): Row {
    const none = Object.fromEntries(this.#columns.map((name) => [name, 0]));
    return this.#rows.get(place) ?? { place, hits: 0, found: none };
  }
}

/** What the first two columns are called. */
export interface TableHeads {
  readonly place: string;
  readonly hits: string;
}

/** The table for people: a line for each place, and their sum. */
export function tableText(rows: readonly Row[], { place, hits }: TableHeads): string {
  const columns = Object.keys(rows[0]?.found ?? {});
  const sum = (pick: (row: Row) => number | undefined) => rows.reduce((total, row) => total + (pick(row) ?? 0), 0);
  const all: Row = {
    place: "all",
    hits: sum((row) => row.hits),
    found: Object.fromEntries(columns.map((name) => [name, sum((row) => row.found[name])])),
  };
  const width = Math.max(place.length, ...rows.map((row) => row.place.length));
  const line = (name: string, cells: readonly (string | number | undefined)[]) =>
    `  ${name.padEnd(width)}${cells.map((cell) => String(cell).padStart(12)).join("")}`;
  return [
    line(place, [hits, ...columns]),
    ...[...rows, all].map((row) => line(row.place, [row.hits, ...columns.map((name) => row.found[name])])),
  ].join("\n");
}

/** The places where nothing was hit, in words; none is good. */
export function unhit(rows: readonly Row[]): readonly string[] {
  return rows.filter(({ hits }) => hits === 0).map(({ place }) => `nothing was hit at ${place}`);
}
