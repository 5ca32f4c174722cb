import { countOf, type FaultKind } from "../../faults/faultMain.ts";
import { runSoak, soakSabotages } from "./soak.ts";

/** Strikes of a round: in 20 rounds each place comes some five times. */
const strikesPerRound = 12;

/** `npm run test:soak -- log`. */
export const logKind: FaultKind = {
  usage: `npm run test:soak -- log [--rounds 20] [--most STRIKES] [--only TEXT] [--seed TEXT] [--nats 1|3] [--break ${soakSabotages.join("|")}]`,
  heads: { place: "failpoint", hits: "kills" },
  fine: "Nothing is lost, doubled or misordered",
  options: ["rounds", "most", "only", "nats", "break"],
  read(values) {
    const rounds = countOf(values.rounds, 20);
    const most = countOf(values.most, strikesPerRound);
    const nats = countOf(values.nats, 1);
    const sabotage = soakSabotages.find((kind) => kind === values.break);
    if (rounds === undefined || most === undefined || (nats !== 1 && nats !== 3)) return undefined;
    if (sabotage !== values.break) return undefined;
    const { only } = values;
    return (run) => runSoak({ ...run, rounds, most, nats, ...(only && { only }), ...(sabotage && { sabotage }) });
  },
};
