import { randomBytes } from "node:crypto";
import { parseArgs } from "node:util";
import { type Row, type TableHeads, tableText, unhit } from "./table.ts";

/** What every run of strikes is told. */
export interface FaultRun {
  /** The same seed strikes in the same places. */
  readonly seed: string;
  readonly say: (text: string) => void;
  /** Called with what ends everything, as soon as there is something. */
  readonly onBox: (close: () => Promise<void>) => void;
}

/** What came of it. */
export interface FaultResult {
  readonly rows: readonly Row[];
  /** Everything that is not as it must be, in words. */
  readonly faults: readonly string[];
}

/** One kind of run, as it is called on the command line. */
export interface FaultKind {
  readonly usage: string;
  readonly heads: TableHeads;
  /** What is said when there are no faults, for example `Nothing is lost`. */
  readonly fine: string;
  /** The run that these options ask for; undefined when they are wrong. */
  read(values: { readonly [name: string]: string | undefined }): ((run: FaultRun) => Promise<FaultResult>) | undefined;
  /** The names of the options besides `--seed`. */
  readonly options: readonly string[];
}

const shownFaults = 20;

/** Runs it, prints the table. Returns the exit code: 0 all is as it must be, 1 something is not, or a place was never hit, 2 wrong usage. */
export async function faultMain(kind: FaultKind, args: readonly string[]): Promise<number> {
  const asked = readArguments(kind, args);
  if (asked === undefined) {
    console.error(kind.usage);
    return 2;
  }
  let close = async (): Promise<void> => undefined;
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => void close().finally(() => process.exit(130)));
  }
  const startedAt = performance.now();
  const { rows, faults } = await asked.run({
    seed: asked.seed,
    say: (text) => console.log(text),
    onBox: (end) => {
      close = end;
    },
  });
  const all = [...unhit(rows), ...faults];
  console.log(`\n${tableText(rows, kind.heads)}\n`);
  for (const fault of all.slice(0, shownFaults)) console.log(`  ${fault}`);
  const seconds = ((performance.now() - startedAt) / 1_000).toFixed(0);
  console.log(`${all.length === 0 ? kind.fine : `${all.length} faults`}, after ${seconds} s.`);
  return all.length === 0 ? 0 : 1;
}

function readArguments({ options, read }: FaultKind, args: readonly string[]) {
  try {
    const text = { type: "string" } as const;
    const { values } = parseArgs({
      args: [...args],
      options: Object.fromEntries(["seed", ...options].map((name) => [name, text])),
    });
    const run = read(values);
    return run && { run, seed: values.seed ?? randomBytes(4).toString("hex") };
  } catch {
    return undefined;
  }
}

/** The number that an option asks for, or its default; undefined when it is no count from 1 on. */
export function countOf(text: string | undefined, usual: number): number | undefined {
  const count = Number(text ?? usual);
  return Number.isInteger(count) && count > 0 ? count : undefined;
}
