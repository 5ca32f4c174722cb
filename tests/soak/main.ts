import { randomBytes } from "node:crypto";
import { parseArgs } from "node:util";
import { runSoak, type SoakOptions, soakSabotages } from "./soak.ts";
import { tableText, unhit } from "./table.ts";

const usage = `npm run test:soak -- log [--rounds 20] [--most STRIKES] [--only TEXT] [--seed TEXT] [--nats 1|3] [--break ${soakSabotages.join("|")}]`;
const shownFaults = 20;
/** Strikes of a round: in 20 rounds each place comes some five times. */
const strikesPerRound = 12;

/** Exit codes: 0 nothing is lost, doubled or misordered, 1 something is, or a place was never hit, 2 wrong usage. */
async function main(): Promise<number> {
  const options = readArguments();
  if (options === undefined) {
    console.error(usage);
    return 2;
  }
  let close = async (): Promise<void> => undefined;
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => void close().finally(() => process.exit(130)));
  }
  const startedAt = performance.now();
  const onBox = (end: () => Promise<void>) => {
    close = end;
  };
  const { rows, faults } = await runSoak({ ...options, say: (text) => console.log(text), onBox });
  const all = [...unhit(rows), ...faults];
  console.log(`\n${tableText(rows)}\n`);
  for (const fault of all.slice(0, shownFaults)) console.log(`  ${fault}`);
  const seconds = ((performance.now() - startedAt) / 1_000).toFixed(0);
  console.log(
    `${all.length === 0 ? "Nothing is lost, doubled or misordered" : `${all.length} faults`}, after ${seconds} s.`,
  );
  return all.length === 0 ? 0 : 1;
}

type Arguments = Pick<SoakOptions, "rounds" | "most" | "seed" | "nats" | "only" | "sabotage">;

function readArguments(): Arguments | undefined {
  try {
    const text = { type: "string" } as const;
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: { rounds: text, seed: text, nats: text, most: text, break: text, only: text },
    });
    const [rounds, nats, most] = [values.rounds ?? 20, values.nats ?? 1, values.most ?? strikesPerRound].map(Number);
    const sabotage = soakSabotages.find((kind) => kind === values.break);
    const isRight = positionals.join() === "log" && sabotage === values.break && isCount(rounds) && isCount(most);
    if (!isRight || (nats !== 1 && nats !== 3)) return undefined;
    const seed = values.seed ?? randomBytes(4).toString("hex");
    return {
      rounds,
      nats,
      most,
      seed,
      ...(values.only && { only: values.only }),
      ...(sabotage && { sabotage }),
    };
  } catch {
    return undefined;
  }
}

function isCount(number: number | undefined): number is number {
  return Number.isInteger(number) && Number(number) > 0;
}

process.exitCode = await main();
