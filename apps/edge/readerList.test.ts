import fc from "fast-check";
import { expect, test } from "vitest";
import { ReaderList } from "./readerList.ts";
import type { Reader } from "./roomFeed.ts";

const readerOf = (room: string) => ({ room }) as Reader;
const steps = fc.array(fc.tuple(fc.constantFrom("put", "remove", "remove another"), fc.constantFrom(..."abcdefgh")));

test("a list has of each room the reader that was put there last and not removed since, in the order of the rooms", () => {
  fc.assert(
    fc.property(steps, (all) => {
      const list = new ReaderList();
      const known = new Map<string, Reader>();
      for (const [step, room] of all) {
        const reader = step === "remove" ? (known.get(room) ?? readerOf(room)) : readerOf(room);
        if (step === "put") {
          list.put(reader);
          known.set(room, reader);
        } else {
          list.remove(reader);
          if (step === "remove") known.delete(room);
        }
      }
      for (const room of "abcdefgh") expect(list.get(room)).toBe(known.get(room));
      const inOrder = [...known.values()].sort((a, b) => (a.room < b.room ? -1 : 1));
      expect([...list]).toEqual(inOrder);
    }),
  );
});
