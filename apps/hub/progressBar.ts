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
  let from: number | undefined;
  let drawnAt = 0;
  let drawn = "";
  return {
    show(done, total) {
      if (!stream.isTTY || (Date.now() < drawnAt + redrawEveryMs && done < total)) return;
      drawnAt = Date.now();
      from ??= done;
      drawn = progressText(done, total, { unit, elapsedMs: drawnAt - startedAt, from });
      stream.write(`\r${drawn}\x1b[K`);
    },
    end() {
      if (drawn !== "") stream.write("\n");
    },
  };
}

interface HowFar {
  readonly unit: string;
  readonly elapsedMs: number;
  /** How many were done at the beginning; 0 if left out. */
  readonly from?: number;
}

/** `[######        ]  20 %  1,000 of 5,000 commits  500/s  8 s left`. */
export function progressText(done: number, total: number, how: HowFar): string {
  const part = total === 0 ? 1 : Math.min(1, done / total);
  const bar = "#".repeat(Math.floor(part * barWidth)).padEnd(barWidth);
  const rate = how.elapsedMs === 0 ? 0 : Math.round(((done - (how.from ?? 0)) * 1_000) / how.elapsedMs);
  const left = rate > 0 && done < total ? `  ${Math.ceil((total - done) / rate)} s left` : "";
  const percent = String(Math.floor(part * 100)).padStart(3);
  return `[${bar}] ${percent} %  ${grouped(done)} of ${grouped(total)} ${how.unit}  ${grouped(rate)}/s${left}`;
}

function grouped(n: number): string {
  return n.toLocaleString("en-US");
}
