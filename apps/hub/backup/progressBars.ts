import { type ProgressBar, progressBar } from "../progressBar.ts";

/** One bar below the other, one for each part of a long work. */
export function progressBars(silent: boolean): { show(what: string, done: number, total: number): void; end(): void } {
  let current: { readonly what: string; readonly bar: ProgressBar } | undefined;
  const end = (): void => {
    current?.bar.end();
    current = undefined;
  };
  return {
    show(what, done, total) {
      if (silent) return;
      if (current?.what !== what) {
        end();
        current = { what, bar: progressBar(what) };
      }
      current.bar.show(done, total);
    },
    end,
  };
}
