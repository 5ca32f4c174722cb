import { decodeCommit, storedDefinition } from "@connect-hub/domain/kernel";
import { describe, expect, test } from "vitest";
import { digestsOf, type FrozenDigests, frozenLogs } from "./frozenLog.ts";
import { type FrozenLane, frozenLanes } from "./world.ts";

// A red line here means that what lies on somebody's log would be read differently. Never mend it in the files of a frozen log.

const logs = frozenLogs();
const laneNames = Object.keys(frozenLanes) as FrozenLane[];

describe.each(logs)("frozen log $name", (log) => {
  const found = digestsOf(log);

  test.each(laneNames)("%s makes the tables that it always made", (lane) => {
    expect(problemWith(lane, found, log.digests)).toBeUndefined();
    expect(found[lane]).toEqual(log.digests[lane]);
  });

  test("some of its keys were destroyed, and its lanes went on in another epoch", () => {
    for (const lane of laneNames) {
      const commits = log.lanes[lane].map(decodeCommit);
      expect(commits.length).toBeGreaterThanOrEqual(80);
      expect(new Set(commits.map(({ epoch }) => epoch)).size).toBe(2);
      const sealed = commits.flatMap((commit) => envelopesOf(commit, lane));
      if (sealed.length > 0) expect(new Set(sealed.map((id) => log.keys.has(id)))).toEqual(new Set([true, false]));
    }
  });
});

test("every version of every event is in a frozen log", () => {
  for (const lane of laneNames) {
    const { events, oldEvents } = frozenLanes[lane];
    const stored = logs.flatMap((log) => log.lanes[lane].flatMap((bytes) => typesIn(bytes)));
    const missing = [...Object.keys(events), ...Object.keys(oldEvents)].filter((type) => !stored.includes(type));
    const next = "let tests/frozen/world.ts do what makes it, then run: npm run docs -- --freeze";
    expect(missing, `no frozen log has ${missing.join(", ")}: ${next}`).toEqual([]);
  }
});

test("the newest frozen log has no old version: it was written by the code of its day", () => {
  const newest = logs.at(-1);
  for (const lane of laneNames) {
    const stored = new Set(newest?.lanes[lane].flatMap((bytes) => typesIn(bytes)));
    expect(Object.keys(frozenLanes[lane].oldEvents).filter((type) => stored.has(type))).toEqual([]);
  }
});

/** What to do about other digests than before. */
function problemWith(lane: FrozenLane, now: FrozenDigests, before: FrozenDigests): string | undefined {
  const tables = Object.keys(now[lane].tables).filter(
    (table) => now[lane].tables[table] !== before[lane].tables[table],
  );
  const { context } = frozenLanes[lane];
  if (tables.length > 0 && now[lane].revision === before[lane].revision) {
    return `the same events make other rows of ${tables.join(", ")} than before: if that is meant, raise the revision of the model of ${context} (tables filled before are then rebuilt) and run npm run docs; if not, mend the code`;
  }
  if (now[lane].revision < before[lane].revision) return `the revision of the model of ${context} went back`;
  return now[lane].revision > before[lane].revision ? "the revision was raised: run npm run docs" : undefined;
}

function typesIn(bytes: Uint8Array): string[] {
  return decodeCommit(bytes).entries.flatMap((entry) => entry.events.map(({ type }) => type));
}

function envelopesOf(commit: ReturnType<typeof decodeCommit>, lane: FrozenLane): string[] {
  return commit.entries
    .flatMap((entry) => entry.events)
    .flatMap(({ type, data }) => {
      const fields = Object.keys(storedDefinition(type, frozenLanes[lane])?.sealed ?? {});
      return fields.map((field) => (data[field] as unknown as { k: string }).k);
    });
}
