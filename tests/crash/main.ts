import { countOf, type FaultKind, faultMain } from "../faults/faultMain.ts";
import { runCrash } from "./crash.ts";

const kind: FaultKind = {
  usage: "npm run test:crash -- [--rounds 20] [--seed TEXT]",
  heads: { place: "failpoint", hits: "kills" },
  fine: "Nothing is lost or wrong",
  options: ["rounds"],
  read({ rounds: asked }) {
    const rounds = countOf(asked, 20);
    return rounds === undefined ? undefined : (run) => runCrash({ ...run, rounds });
  },
};

process.exitCode = await faultMain(kind, process.argv.slice(2));
