import { Id } from "@connect-hub/domain/values";
import * as z from "zod/mini";
import type { RoomEvent } from "./serverFrames.ts";

/** A file as a message shows it: what it is called, how many bytes it has, which media type its owner gave. */
export const MessageFile = z.object({
  id: Id,
  name: z.nullable(z.string()),
  size: z.int(),
  type: z.string(),
});
export type MessageFile = z.infer<typeof MessageFile>;

const Files = z.object({ files: z.array(MessageFile) });

/** What an upload and a forward answer. `hash`: SHA-256 of the bytes, hex. */
export interface FileAnswer {
  readonly file: string;
  readonly name: string;
  readonly type: string;
  readonly size: number;
  readonly hash: string;
}

/** The files of a message that was posted; none for any other event. Never throws. */
export function filesOf(event: RoomEvent): readonly MessageFile[] {
  const read = event.t === "messagePosted" ? Files.safeParse(event.d) : undefined;
  return read?.success ? read.data.files : [];
}
