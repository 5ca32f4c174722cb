import type { Verdict } from "./verdict.ts";

/** What the strikes at one place showed. */
export interface Row {
  /** A failpoint, or what was done. */
  readonly place: string;
  readonly kills: number;
  readonly lost: number;
  readonly doubled: number;
  readonly misordered: number;
}

/** Counts strikes and what came of them, place by place. */
export class Tally {
  readonly faults: string[] = [];
  readonly #rows = new Map<string, Row>();

  /** `places`: all that there must be a hit at. */
  constructor(places: readonly string[]) {
    for (const place of places) this.#rows.set(place, { place, kills: 0, lost: 0, doubled: 0, misordered: 0 });
  }

  get rows(): readonly Row[] {
    return [...this.#rows.values()];
  }

  add(place: string, isHit: boolean, { lost, doubled, misordered }: Verdict): void {
    const before = this.#rows.get(place) ?? { place, kills: 0, lost: 0, doubled: 0, misordered: 0 };
    this.#rows.set(place, {
      place,
      kills: before.kills + (isHit ? 1 : 0),
      lost: before.lost + lost.length,
      doubled: before.doubled + doubled.length,
      misordered: before.misordered + misordered.length,
    });
    const found = { lost, doubled, misordered };
    for (const [what, texts] of Object.entries(found)) {
      this.faults.push(...texts.map((text) => `${place}: ${what}: ${text}`));
    }
  }
}

const columns = ["kills", "lost", "doubled", "misordered"] as const;

/** The table for people: a line for each place, and their sum. */
export function tableText(rows: readonly Row[]): string {
  const total = Object.fromEntries(columns.map((name) => [name, rows.reduce((sum, row) => sum + row[name], 0)]));
  const width = Math.max(...rows.map(({ place }) => place.length));
  const line = (place: string, cells: readonly (string | number | undefined)[]) =>
    `  ${place.padEnd(width)}${cells.map((cell) => String(cell).padStart(12)).join("")}`;
  return [
    line("failpoint", columns),
    ...rows.map((row) =>
      line(
        row.place,
        columns.map((name) => row[name]),
      ),
    ),
    line(
      "all",
      columns.map((name) => total[name]),
    ),
  ].join("\n");
}

/** The places where nothing was hit, in words; none is good. */
export function unhit(rows: readonly Row[]): readonly string[] {
  return rows.filter(({ kills }) => kills === 0).map(({ place }) => `nothing was hit at ${place}`);
}
