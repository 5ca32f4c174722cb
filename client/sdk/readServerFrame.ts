import type { Json } from "@connect-hub/domain/values";
import type {
  HeartbeatAnswer,
  LeftFrame,
  ResumedFrame,
  ResyncFrame,
  RoomEvent,
  RoomFrame,
  WireError,
} from "@connect-hub/protocol";

/** What to do with each frame of a server after `ready`. */
export interface FrameHandlers {
  events(events: readonly RoomEvent[]): void;
  answer(i: number, answer: { ok: Json; p: string } | { err: WireError }): void;
  heartbeat(answer: HeartbeatAnswer["hb"]): void;
  resumed(answers: ResumedFrame["resumed"]): void;
  room(room: RoomFrame["room"]): void;
  left(room: string): void;
  resync(rooms: ResyncFrame["resync"]["rooms"]): void;
}

/** Hands a frame to its handler. The server is trusted to keep to the protocol; an unknown frame is a newer server's. */
export function readServerFrame(frame: object, handlers: FrameHandlers): void {
  if (Array.isArray(frame)) handlers.events(frame as RoomEvent[]);
  else if ("r" in frame) handlers.events([frame as RoomEvent]);
  else if ("i" in frame) handlers.answer(Number(frame.i), frame as never);
  else if ("hb" in frame) handlers.heartbeat((frame as HeartbeatAnswer).hb);
  else if ("resumed" in frame) handlers.resumed((frame as ResumedFrame).resumed);
  else if ("room" in frame) handlers.room((frame as RoomFrame).room);
  else if ("left" in frame) handlers.left((frame as LeftFrame).left.r);
  else if ("resync" in frame) handlers.resync((frame as ResyncFrame).resync.rooms);
}
