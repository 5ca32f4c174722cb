import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { MemoryTables } from "../kernel/memoryTables.ts";
import { ContentTalk } from "../testing/contentTalk.ts";
import { seededRandom } from "../testing/roomTalk.ts";
import { contentTables } from "./tables.ts";

const histories = fc.record({ seed: fc.nat(), length: fc.integer({ min: 1, max: 150 }) });

function talked({ seed, length }: { seed: number; length: number }) {
  const talk = new ContentTalk(seededRandom(seed));
  const changes = Array.from({ length }, () => talk.next()).flat();
  return { talk, changes };
}

describe("whatever goes on in the lane of content", () => {
  test("bytes are referred to by as many files as are not released, each with its permission", () => {
    fc.assert(
      fc.property(histories, (history) => {
        const { tables } = talked(history).talk;
        const living = tables.rows("files").filter((file) => file.state !== "released");
        for (const blob of tables.rows("blobs"))
          expect(blob.refs).toBe(living.filter((file) => file.hash === blob.hash).length);
        const readable = tables.rows("file_permissions").map(({ file_id, room_id }) => [file_id, room_id]);
        expect(readable).toEqual(living.map(({ id, room_id }) => [id, room_id]));
      }),
    );
  });

  test("bytes count the nodes that have them, and are somewhere", () => {
    fc.assert(
      fc.property(histories, (history) => {
        const { tables } = talked(history).talk;
        for (const blob of tables.rows("blobs")) {
          expect(blob.replicas).toBe(tables.rows("replicas").filter((row) => row.hash === blob.hash).length);
          expect(blob.local || Number(blob.replicas) > 0).toBe(true);
          expect(blob.chunks).toBe("x");
        }
      }),
    );
  });

  test("nodes have names of their own, and tables that were filled anew are the same", () => {
    fc.assert(
      fc.property(histories, (history) => {
        const { talk, changes } = talked(history);
        const { tables } = talk;
        expect(
          tables
            .rows("node_names")
            .map((row) => row.node)
            .sort(),
        ).toEqual(tables.rows("nodes").map((row) => row.id));
        const again = new MemoryTables(contentTables);
        again.apply(changes);
        expect(again.digests()).toEqual(tables.digests());
      }),
    );
  });
});

test("a talk meets every kind of event", () => {
  const { tables } = talked({ seed: 7, length: 400 }).talk;
  const states = new Set(tables.rows("files").map((file) => file.state));
  expect(states).toEqual(new Set(["claimed", "posted", "released"]));
  expect(tables.rows("blobs").map((blob) => blob.local)).toContain(false);
  expect(tables.rows("stores")).toHaveLength(1);
  expect(tables.rows("replicas").length).toBeGreaterThan(3);
});
