import * as z from "zod/mini";
import type { Command, CommandDefinition } from "../kernel/command.ts";
import { inputOf } from "../kernel/commandInput.ts";
import type { Subject } from "../kernel/event.ts";
import { type FactRef, factRef } from "../kernel/fact.ts";
import { commandInputs } from "../values/commandInputs.ts";
import { Id } from "../values/ids.ts";
import type { JsonObject } from "../values/json.ts";
import { limits } from "../values/limits.ts";
import { accept, blobOf, blobRef, event, FileSize, Hash, nothing, pick, refuse, text } from "./decisions.ts";

const MediaType = z.string().check(z.maxLength(127), z.regex(/^[!-~]+\/[!-~]+$/, "must be a media type"));
/** One hash for each piece of so many bytes. */
const pieceBytes = 1024 * 1024;
const pieceHashBytes = 32;

/**
 * By the edge, when it has the bytes and has checked that the actor is in the room; `subject` is the id of the file to be. `chunks`: the
 * SHA-256 of each piece of 1 MiB, one after another, as base64url.
 */
export const claimFile: CommandDefinition = {
  context: "content",
  input: inputOf(
    z
      .strictObject({
        room: Id,
        name: text(limits.fileNameLength),
        type: MediaType,
        size: FileSize,
        hash: Hash,
        chunks: z.string().check(z.regex(/^[A-Za-z0-9_-]*$/)),
      })
      .check(
        z.refine(({ chunks, size }) => chunks.length === chunksLength(size), {
          path: ["chunks"],
          message: "must hold one hash for each MiB",
        }),
      ),
  ),
  secretFields: [],
  needs: (command) => [blobRef(command.data.hash)],
  decide(command, facts) {
    const { hash, size, chunks = "" } = command.data;
    const blob = facts.get(blobRef(hash));
    if (blob && blob.size !== size) return refuse("BadInput", "these bytes are of another size");
    const file = { ...command.data, chunks: blob ? "" : chunks, source: null };
    // A copy that was dropped is back with this upload.
    const kept = blob?.local === false ? [event("LocalCopyKept.v1", blobOf(hash), command, {})] : [];
    return accept([claimed(command, file), ...kept], told(command, file));
  },
};

/**
 * A new file on the bytes of another; `subject` is its id. The edge says in `meta.mayRead` that the actor may read the other
 * one, and has checked that the actor is in the room.
 */
export const forwardFile: CommandDefinition = {
  context: "content",
  input: inputOf(commandInputs.forwardFile),
  secretFields: [],
  needs: (command) => [fileRef(command)],
  decide(command, facts) {
    const source = facts.get(fileRef(command));
    if (!source || source.state === "released" || command.meta?.mayRead !== true) return refuse("FileNotFound");
    const { room = null, file: from = null } = command.data;
    const name = source.filename_visible ?? "file";
    const file = { ...pick(source, "hash", "size", "type"), room, name, chunks: "", source: from };
    return accept([claimed(command, file)], told(command, file));
  },
};

/** By the reactor of a room's lane: a message has the file. `subject` is the file. */
export const confirmFile: CommandDefinition = {
  context: "content",
  input: inputOf(z.strictObject({ file: Id, room: Id, s: z.int().check(z.gte(1)) })),
  secretFields: [],
  needs: (command) => [fileRef(command)],
  decide(command, facts) {
    if (facts.get(fileRef(command))?.state !== "claimed") return nothing;
    return accept([event("FilePosted.v1", fileOf(command), command, pick(command.data, "room", "s"))]);
  },
};

/** By a reactor: the message was deleted, or the claim is void. `subject` is the file. */
export const releaseFile: CommandDefinition = {
  context: "content",
  input: inputOf(z.strictObject({ file: Id, reason: z.enum(["deleted", "expired"]) })),
  secretFields: [],
  needs: (command) => [fileRef(command)],
  decide(command, facts) {
    const file = facts.get(fileRef(command));
    if (!file || file.state === "released") return nothing;
    const { room_id: room = null, hash = null } = file;
    const data = { room, hash, reason: command.data.reason ?? null };
    return accept([event("FileReleased.v1", fileOf(command), command, data)]);
  },
};

function claimed(command: Command, file: JsonObject) {
  const data = pick(file, "room", "hash", "size", "type", "chunks", "source");
  const all = { owner: command.key.actor, ...data, body: pick(file, "name") };
  return event("FileClaimed.v1", { kind: "file", id: command.subject }, command, all);
}

/** Without the name: results lie in the log unsealed, and what a person wrote must not. The edge adds it. */
function told(command: Command, file: JsonObject): JsonObject {
  return { file: command.subject, ...pick(file, "type", "size", "hash") };
}

function chunksLength(size: number): number {
  return Math.ceil((Math.ceil(size / pieceBytes) * pieceHashBytes * 8) / 6);
}

const fileRef = (command: Command): FactRef => factRef("files", String(command.data.file));
const fileOf = (command: Command): Subject => ({ kind: "file", id: String(command.data.file) });
