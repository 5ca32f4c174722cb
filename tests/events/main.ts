import { parseArgs } from "node:util";
import { digestsOf, freeze, frozenLogs, writeDigests } from "../frozen/frozenLog.ts";
import { frozenLanes } from "../frozen/world.ts";

// `npm run docs`: writes what is made from the events' definitions. What lies in somebody's log already is never changed by it.

const { values } = parseArgs({ options: { freeze: { type: "boolean", default: false } } });

if (values.freeze) console.log(`tests/frozen/${await freeze()} is written; it stays as it is for ever`);
for (const log of frozenLogs()) {
  const digests = digestsOf(log);
  const lanes = Object.keys(frozenLanes) as (keyof typeof frozenLanes)[];
  const raised = lanes.filter((lane) => digests[lane].revision > log.digests[lane].revision);
  const kept = lanes.filter((lane) => !raised.includes(lane)).map((lane) => [lane, log.digests[lane]]);
  if (raised.length > 0) writeDigests(log.name, { ...digests, ...Object.fromEntries(kept) });
}
