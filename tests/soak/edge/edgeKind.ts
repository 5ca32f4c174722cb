import { countOf, type FaultKind } from "../../faults/faultMain.ts";
import { runEdgeSoak } from "./edgeSoak.ts";

/** Strikes of a round: in 20 rounds each comes some ten times. */
const strikesPerRound = 10;
const stormSockets = 5_000;

/** `npm run test:soak -- edge`. */
export const edgeKind: FaultKind = {
  usage: "npm run test:soak -- edge [--rounds 20] [--most STRIKES] [--only TEXT] [--seed TEXT] [--sockets 5000]",
  heads: { place: "fault", hits: "injected" },
  fine: "Nothing is lost, doubled or misordered",
  options: ["rounds", "most", "only", "sockets"],
  read(values) {
    const rounds = countOf(values.rounds, 20);
    const most = countOf(values.most, strikesPerRound);
    const sockets = countOf(values.sockets, stormSockets);
    if (rounds === undefined || most === undefined || sockets === undefined) return undefined;
    const { only } = values;
    return (run) => runEdgeSoak({ ...run, rounds, most, sockets, ...(only && { only }) });
  },
};
