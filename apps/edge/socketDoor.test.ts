import { randomUUID } from "node:crypto";
import { limits } from "@connect-hub/domain/values";
import { expect, test } from "vitest";
import type { Connection } from "./connection.ts";
import { type DoorSources, takeMessage } from "./socketDoor.ts";

/** A socket that is signed in, as far as resumes use it, at an edge that does not get on with them. */
function stalled() {
  const ended: string[] = [];
  const connection = {
    ...{ isOpen: true, stage: "ready", resuming: 0 },
    underWay: new Map(),
    whenReady: new Promise(() => undefined),
    end: (name: string) => void ended.push(name),
  } as unknown as Connection;
  const resume = (rooms: number) => {
    const cursors = Array.from({ length: rooms }, () => [randomUUID(), ["a1b2c3d4", 1]]);
    void takeMessage(connection, JSON.stringify({ resume: Object.fromEntries(cursors) }), {} as DoorSources);
  };
  return { ended, resume };
}

const most = 2 * limits.resumeRooms;

test.each([-1, 0, 1])("a socket resumes 2,000 rooms at a time, in however many frames, tried with %i more", (more) => {
  const { ended, resume } = stalled();
  for (let left = most + more; left > 0; left -= 500) resume(Math.min(left, 500));
  expect(ended).toEqual(more > 0 ? ["TooManyInFlight"] : []);
});
