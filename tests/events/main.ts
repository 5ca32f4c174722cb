import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { type EventSample, goldenEvents, goldenEventsFolder, storedSample } from "@connect-hub/domain/testing";
import type { Json } from "@connect-hub/domain/values";
import { digestsOf, freeze, frozenLogs, writeDigests } from "../frozen/frozenLog.ts";
import { frozenLanes } from "../frozen/world.ts";
import { documents, jsonText, wholeCatalog } from "./documents.ts";
import { lockOf, lockProblems, readLock } from "./lock.ts";

// `npm run docs`: writes what is made from the events' definitions. What lies in somebody's log already is never changed by it.

const { values } = parseArgs({ options: { freeze: { type: "boolean", default: false } } });

/** Adds the stored bytes to samples that were written by hand just now. */
function completeSamples(): ReadonlyMap<string, EventSample> {
  for (const [type, { opened, stored }] of goldenEvents()) {
    const context = wholeCatalog().find((event) => event.type === type)?.context;
    const model = Object.values(frozenLanes).find((one) => one.context === context) ?? frozenLanes["rooms.0"];
    if (stored !== undefined) continue;
    const sample = { opened, stored: storedSample(opened, model) };
    writeFileSync(new URL(`${type}.json`, goldenEventsFolder), jsonText(sample as unknown as Json));
  }
  return goldenEvents();
}

/** The digests of models whose revision was raised. */
function renewDigests(): void {
  const lanes = Object.keys(frozenLanes) as (keyof typeof frozenLanes)[];
  for (const log of frozenLogs()) {
    const digests = digestsOf(log);
    const kept = lanes.filter((lane) => digests[lane].revision <= log.digests[lane].revision);
    if (kept.length === lanes.length) continue;
    writeDigests(log.name, { ...digests, ...Object.fromEntries(kept.map((lane) => [lane, log.digests[lane]])) });
  }
}

const catalog = wholeCatalog();
const samples = completeSamples();
const missing = catalog.filter(({ type }) => !samples.has(type)).map(({ type }) => `${type} has no golden sample`);
const problems = [...missing, ...lockProblems(readLock(), lockOf(catalog, samples))];
if (problems.length > 0) {
  for (const problem of problems) console.error(problem);
  process.exitCode = 1;
} else {
  for (const [file, text] of documents(catalog, samples)) writeFileSync(file, text);
  if (values.freeze) console.log(`tests/frozen/${await freeze()} is written; it stays as it is for ever`);
  renewDigests();
}
