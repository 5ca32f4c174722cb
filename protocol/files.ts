import { Id, limits } from "@connect-hub/domain/values";
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

/** What an upload that may be gone on with is begun with. `sha256`: that the bytes must have, hex. */
export const uploadInput = z.strictObject({
  room: Id,
  name: z.string().check(
    z.minLength(1),
    z.maxLength(limits.fileNameLength),
    z.refine((name) => name.isWellFormed() && !name.includes("\u0000"), "must be well-formed text without NUL"),
  ),
  type: z.optional(z.string()),
  size: z.int().check(z.gte(0)),
  sha256: z.optional(z.string().check(z.regex(/^[0-9a-f]{64}$/))),
});

/** How far an upload is: so many bytes are there for good. */
export interface UploadAnswer {
  readonly upload: string;
  readonly offset: number;
  readonly size: number;
  readonly expiresAt: string;
}

/** The files of a message that was posted; none for any other event. Never throws. */
export function filesOf(event: RoomEvent): readonly MessageFile[] {
  const read = event.t === "messagePosted" ? Files.safeParse(event.d) : undefined;
  return read?.success ? read.data.files : [];
}
