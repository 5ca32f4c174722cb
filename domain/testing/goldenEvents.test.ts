import { describe, expect, test } from "vitest";
import { accountModel } from "../account/index.ts";
import { contentModel } from "../content/index.ts";
import { changesOfEvent } from "../kernel/changesOfCommit.ts";
import { decodeCommit, encodeCommit, encodeEntry, type StoredEvent } from "../kernel/commit.ts";
import { eventCatalog } from "../kernel/eventCatalog.ts";
import { laneEvents } from "../kernel/laneEvents.ts";
import { MemoryTables } from "../kernel/memoryTables.ts";
import { openEvent } from "../kernel/sealing.ts";
import { storedDefinition, upcast } from "../kernel/versions.ts";
import { roomModel } from "../room/index.ts";
import { goldenEvents, sampleKey, storedSample } from "./goldenEvents.ts";

// A red line here means that what lies on somebody's log would be read differently. Never mend it by changing a sample: make
// a new version of the event, and an upcaster from the old one.

const models = [accountModel, roomModel, contentModel];
const catalog = eventCatalog(models);
const samples = goldenEvents();

test("every stored version of every event has a sample, and none is left over", () => {
  const missing = catalog.filter(({ type }) => !samples.has(type)).map(({ type }) => type);
  const next = "write domain/testing/golden/TYPE.json with {opened} and run: npm run docs";
  expect(missing, `no sample of ${missing.join(", ")}: ${next}`).toEqual([]);
  expect([...samples.keys()].sort()).toEqual(catalog.map(({ type }) => type).sort());
});

describe.each(catalog)("$type", ({ type, context, subject, numbered }) => {
  const { opened, stored = "" } = samples.get(type) ?? { opened: undefined };
  const model = models.find((one) => one.context === context) ?? roomModel;
  if (opened === undefined) return;

  test("is what its definition says, and is stored as it always was", () => {
    expect(opened.type).toBe(type);
    expect(opened.subject.kind).toBe(subject);
    expect(opened.s !== undefined).toBe(numbered);
    expect(storedDefinition(type, model)?.data.safeParse(opened.data)).toMatchObject({ success: true });
    expect(storedSample(opened, model)).toBe(stored);
  });

  test.each(["opened", "erased"])("read from the log it is the newest version, and folds (%s)", (how) => {
    const event = openEvent(
      fromLog(stored),
      model,
      how === "opened" ? new Map([[sampleKey.id, sampleKey]]) : new Map(),
    );
    if (how === "opened") expect(event).toEqual(upcast(opened, model));
    expect(event).toMatchObject({ subject: opened.subject, by: opened.by });
    const newest = model.events[event.type] ?? laneEvents[event.type];
    expect(newest?.data.safeParse(event.data)).toMatchObject({ success: true });
    const tables = new MemoryTables(model.tables);
    const changes = changesOfEvent(event, { lane: "rooms.0", n: 1, at: "2026-01-01T00:00:00.000Z" }, model);
    tables.apply(changes);
    expect(changes.length > 0).toBe(context !== "all");
  });
});

/** The event as whoever reads the log gets it: out of a commit. */
function fromLog(stored: string): StoredEvent {
  const event = JSON.parse(stored) as StoredEvent;
  const key = { actor: event.by, id: "0192f0c4-8e01-7000-8000-000000000002" };
  const entry = encodeEntry({ key, kind: "sample", digest: "0".repeat(64), result: null, events: [event] });
  const head = { lane: "rooms.0", epoch: "0".repeat(32), n: 1, term: 1, writer: "w", prevHash: "", at: "" } as const;
  const [found] = decodeCommit(encodeCommit({ ...head, at: "2026-01-01T00:00:00.000Z" }, [entry])).entries;
  if (found?.events[0] === undefined) throw new Error("a commit lost its event");
  return found.events[0];
}
