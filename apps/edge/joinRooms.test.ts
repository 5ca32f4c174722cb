import { eventText } from "@connect-hub/domain/kernel";
import type { RoomState } from "@connect-hub/protocol";
import type { SendOutcome, Socket } from "@connect-hub/uws";
import { expect, test, vi } from "vitest";
import { Connection } from "./connection.ts";
import type { EdgeLanes } from "./edgeLanes.ts";
import { finishResume, holdRoom, type JoinSources } from "./joinRooms.ts";
import { missedEvents } from "./missedEvents.ts";
import { roomFeeds } from "./roomFeeds.ts";
import type { ReadRows } from "./roomHistory.ts";

const state: RoomState = {
  ...{ id: "r1", name: "Engine", type: "group", s: 30, from: 1, epoch: "a1b2c3d4", role: "member", members: 2 },
};
const large = (s: number) =>
  eventText({ r: "r1", s, t: "messagePosted", d: { text: "x".repeat(8_000) }, by: "u1", at: "" });

/** A member who resumes 30 large events, of which each lot goes as far as `takes` says, and what the socket is given. */
function resuming(takes: (socket: { bufferedBytes: number }) => SendOutcome) {
  const told: unknown[] = [];
  const topics: string[] = [];
  const socket: Socket & { bufferedBytes: number } = {
    remoteAddress: "::1",
    bufferedBytes: 0,
    send(message) {
      const frame = JSON.parse(Buffer.from(message).toString());
      const outcome = Array.isArray(frame) ? takes(socket) : socket.bufferedBytes > 1024 ** 2 ? "dropped" : "sent";
      if (outcome !== "dropped") told.push(Array.isArray(frame) ? [frame[0].s, frame.at(-1).s] : frame);
      return outcome;
    },
    cork: (work) => work(),
    subscribe: (topic) => void topics.push(topic),
    unsubscribe: () => undefined,
    close: () => undefined,
  };
  const feeds = roomFeeds({
    publish() {},
    enter: () => undefined,
    leave: () => undefined,
    headOf: async () => state.s,
  });
  const options = { ip: "", userAgent: "", stop: feeds.stop, onEnd() {}, onBug: (error: unknown) => told.push(error) };
  const connection = new Connection(socket, options);
  connection.signingIn();
  connection.signedIn();
  told.length = 0;
  const lanes = { ofRoom: () => ({ view: { floor: 0 }, roomTail: () => [] }) } as unknown as EdgeLanes;
  const readRows: ReadRows = async (_, fromS, toS) =>
    Array.from({ length: toS - fromS + 1 }, (_, at) => large(fromS + at));
  const sources: JoinSources = { feeds, lanes, readMissed: missedEvents(lanes, readRows) };
  const reader = holdRoom(connection, "r1", sources);
  const resumed = reader.since.then(() => finishResume(connection, { reader, state }, [state.epoch, 0], sources));
  return { connection, socket, told, topics, reader, resumed };
}

test("a resume of which all is taken runs live then", async () => {
  const { told, topics, reader, resumed } = resuming(() => "sent");
  await resumed;
  expect(told).toEqual([[1, 9], [10, 18], [19, 27], [28, 30], { resumed: { r1: ["ok", "a1b2c3d4", 30] } }]);
  expect([reader.phase, topics]).toEqual(["live", ["r1"]]);
});

test("a resume of which something is dropped says how far it came, and is to be made again when the reader has read on", async () => {
  let lots = 0;
  const { connection, socket, told, topics, reader, resumed } = resuming((socket) => {
    lots += 1;
    if (lots === 2) socket.bufferedBytes = 2 * 1024 ** 2;
    return lots === 2 ? "dropped" : "sent";
  });
  await resumed;
  expect([told, reader.phase]).toEqual([[[1, 9]], "live"]);
  socket.bufferedBytes = 0;
  connection.drained();
  expect(told.slice(1)).toEqual([{ resumed: { r1: ["ok", "a1b2c3d4", 9] } }, { resync: { rooms: ["r1"] } }]);
  expect(topics).toEqual([]);
});

test("a resume that waits for its reader, whose rooms are stopped meanwhile, goes on; then it is to be made again", async () => {
  const { connection, socket, told, topics, resumed } = resuming((socket) => {
    if (told.length === 0) socket.bufferedBytes = 300 * 1024;
    return "backpressure";
  });
  await vi.waitFor(() => expect(told).toEqual([[1, 9]]));
  connection.fallBehind();
  socket.bufferedBytes = 0;
  connection.drained();
  await resumed;
  const [, ...others] = told;
  const end = [{ resumed: { r1: ["ok", "a1b2c3d4", 30] } }, { resync: { rooms: ["r1"] } }];
  expect(others).toEqual([[10, 18], [19, 27], [28, 30], ...end]);
  expect(topics).toEqual([]);
});

test("a resume during which another room's events are dropped is not in the topic before the reader has read on", async () => {
  let lots = 0;
  const { connection, told, topics, resumed } = resuming(() => {
    lots += 1;
    if (lots === 4) connection.fallBehind();
    return "sent";
  });
  await resumed;
  expect(topics).toEqual([]);
  connection.drained();
  expect(told.slice(4)).toEqual([{ resumed: { r1: ["ok", "a1b2c3d4", 30] } }, { resync: { rooms: ["r1"] } }]);
});
