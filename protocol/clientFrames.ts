import { CommandId, type CommandName, commandInputs, Id, type JsonObject, limits } from "@connect-hub/domain/values";
import * as z from "zod/mini";

const maxTokenLength = 256;
const maxPositionLength = 4_096;
const maxNameLength = 40;

const RequestNumber = z.int().check(z.gte(0));
const Data = z.custom<JsonObject>((value) => typeof value === "object" && value !== null && !Array.isArray(value));
const PositionToken = z.string().check(z.maxLength(maxPositionLength));

/** How far a client has a room: the first 8 hex digits of the epoch of the room's lane, and the last `s` it has. */
export const Cursor = z.tuple([z.string().check(z.regex(/^[0-9a-f]{8}$/)), z.int().check(z.gte(0))]);
export type Cursor = z.infer<typeof Cursor>;

/** `{auth}`: the first frame of a client. */
export const AuthFrame = z.strictObject({
  auth: z.strictObject({
    token: z.string().check(z.maxLength(maxTokenLength)),
    resume: z.optional(z.record(z.string(), z.unknown())),
  }),
});
/** `{i, m, d, k, a?}`: a command. `k` is its key for ever; the same key with the same data is the same command. */
export const CommandFrame = z.strictObject({
  i: RequestNumber,
  m: z.string().check(z.maxLength(maxNameLength)),
  d: Data,
  k: CommandId,
  a: z.optional(PositionToken),
});
/** `{i, q, d, a?}`: a query. It is answered from tables that are at least as far as `a`. */
export const QueryFrame = z.strictObject({
  i: RequestNumber,
  q: z.string().check(z.maxLength(maxNameLength)),
  d: Data,
  a: z.optional(PositionToken),
});
/** `{hb: n}`: the line lives; the answer holds `n`, the version of the room set and the heads that changed. */
export const HeartbeatFrame = z.strictObject({ hb: RequestNumber });
/** `{resume: {room: cursor}}`: send me what I miss in these rooms. */
export const ResumeFrame = z.strictObject({ resume: z.record(z.string(), z.unknown()) });

export type AuthFrame = z.infer<typeof AuthFrame>;
export type CommandFrame = z.infer<typeof CommandFrame>;
export type QueryFrame = z.infer<typeof QueryFrame>;
export type HeartbeatFrame = z.infer<typeof HeartbeatFrame>;
export type ResumeFrame = z.infer<typeof ResumeFrame>;

/** A client's frame, told apart. `bad`: none of them; `i` if it had a request number to answer to. */
export type ReadFrame =
  | { readonly kind: "auth"; readonly frame: AuthFrame }
  | { readonly kind: "command"; readonly frame: CommandFrame }
  | { readonly kind: "query"; readonly frame: QueryFrame }
  | { readonly kind: "heartbeat"; readonly frame: HeartbeatFrame }
  | { readonly kind: "resume"; readonly frame: ResumeFrame }
  | { readonly kind: "bad"; readonly i?: number; readonly detail: string };

/** Tells which frame `value` (parsed JSON) is. Never throws. */
export function readClientFrame(value: unknown): ReadFrame {
  if (typeof value !== "object" || value === null) return { kind: "bad", detail: "a frame is an object" };
  if ("m" in value) return read("command", CommandFrame, value);
  if ("q" in value) return read("query", QueryFrame, value);
  if ("hb" in value) return read("heartbeat", HeartbeatFrame, value);
  if ("resume" in value) return read("resume", ResumeFrame, value);
  if ("auth" in value) return read("auth", AuthFrame, value);
  return { kind: "bad", ...requestNumber(value), detail: "none of auth, m, q, hb, resume" };
}

function read<K extends string, T>(kind: K, schema: z.ZodMiniType<T>, value: object) {
  const parsed = schema.safeParse(value);
  if (parsed.success) return { kind, frame: parsed.data } as const;
  return { kind: "bad", ...requestNumber(value), detail: describeIssues(parsed.error.issues) } as const;
}

function requestNumber(value: object): { i?: number } {
  const i = RequestNumber.safeParse("i" in value ? value.i : undefined);
  return i.success ? { i: i.data } : {};
}

/** What a schema found wrong, in one line, for `detail`. Names fields, never repeats their values. */
export function describeIssues(issues: readonly { path: readonly PropertyKey[]; message: string }[]): string {
  return issues.map((issue) => `${issue.path.map(String).join(".") || "frame"}: ${issue.message}`).join("; ");
}

/** The cursors of a `resume`, or the error that they are. */
export function readCursors(
  resume: Readonly<Record<string, unknown>>,
):
  | { readonly cursors: ReadonlyMap<string, Cursor> }
  | { readonly error: "BadCursor" | "TooManyRooms"; readonly detail: string } {
  const rooms = Object.keys(resume);
  if (rooms.length > limits.resumeRooms)
    return { error: "TooManyRooms", detail: `at most ${limits.resumeRooms} rooms` };
  const cursors = new Map<string, Cursor>();
  for (const room of rooms) {
    const cursor = Cursor.safeParse(resume[room]);
    if (!Id.safeParse(room).success || !cursor.success)
      return { error: "BadCursor", detail: room.slice(0, maxNameLength) };
    cursors.set(room, cursor.data);
  }
  return { cursors };
}

/** The commands that HTTP routes take, because nobody is signed in yet. */
const httpOnly: ReadonlySet<string> = new Set<CommandName>(["register", "signIn"]);

/** Whether `method` is a command that may come over a socket. */
export function isSocketCommand(method: string): method is CommandName {
  return Object.hasOwn(commandInputs, method) && !httpOnly.has(method);
}
