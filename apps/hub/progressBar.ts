/** One line on a terminal that shows how far something is; nothing where a program or a file reads along. */
export interface ProgressBar {
  show(done: number, total: number): void;
  /** Leaves the line as it is and goes on below it. */
  end(): void;
}

const barWidth = 30;
const redrawEveryMs = 100;

/** A bar on stderr; `unit` is what is counted, for example `commits`. */
export function progressBar(unit: string, stream: NodeJS.WriteStream = process.stderr): ProgressBar {
  const startedAt = Date.now();
  let drawnAt = 0;
  let drawn = "";
  return {
    show(done, total) {
      if (!stream.isTTY || (Date.now() < drawnAt + redrawEveryMs && done < total)) return;
      drawnAt = Date.now();
      drawn = progressText(done, total, { unit, elapsedMs: drawnAt - startedAt });
      stream.write(`\r${drawn}\x1b[K`);
    },
    end() {
      if (drawn !== "") stream.write("\n");
    },
  };
}

/** `[######        ]  20 %  1,000 of 5,000 commits  500/s`. */
export function progressText(done: number, total: number, how: { unit: string; elapsedMs: number }): string {
  const part = total === 0 ? 1 : Math.min(1, done / total);
  const bar = "#".repeat(Math.floor(part * barWidth)).padEnd(barWidth);
  const rate = how.elapsedMs === 0 ? 0 : Math.round((done * 1_000) / how.elapsedMs);
  const percent = String(Math.floor(part * 100)).padStart(3);
  return `[${bar}] ${percent} %  ${grouped(done)} of ${grouped(total)} ${how.unit}  ${grouped(rate)}/s`;
}

function grouped(n: number): string {
  return n.toLocaleString("en-US");
}
