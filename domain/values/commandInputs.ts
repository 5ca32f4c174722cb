import * as z from "zod/mini";
import { Id } from "./ids.ts";
import { limits } from "./limits.ts";

/** Text that every store can hold: no NUL, no half of a surrogate pair. */
const text = (max: number, min = 1) =>
  z.string().check(
    z.minLength(min),
    z.maxLength(max),
    z.refine((value) => value.isWellFormed() && !value.includes("\u0000"), "must be well-formed text without NUL"),
  );
const Email = z
  .string()
  .check(
    z.trim(),
    z.toLowerCase(),
    z.maxLength(limits.emailLength),
    z.regex(/^[\x21-\x3f\x41-\x7e]+@[\x21-\x3f\x41-\x7e]+$/, "must be an e-mail address"),
  );
const Password = z.string().check(z.minLength(limits.passwordMinLength), z.maxLength(limits.passwordMaxLength));
/** Ids of files, each once. */
const Files = z.array(Id).check(
  z.minLength(1),
  z.maxLength(limits.filesPerMessage),
  z.refine((files) => new Set(files).size === files.length, "must name each file once"),
);
const Ordinal = z.int().check(z.gte(1));

/** What a client sends with each command, by the command's name: the `d` of its frame, the body of its HTTP request. */
export const commandInputs = {
  register: z.strictObject({ email: Email, password: Password, name: text(limits.personNameLength) }),
  signIn: z.strictObject({ email: Email, password: Password }),
  signOut: z.strictObject({}),
  closeAccount: z.strictObject({ password: Password }),

  createRoom: z.strictObject({
    name: text(limits.roomNameLength),
    members: z.optional(z.array(Id).check(z.maxLength(limits.firstMembers))),
  }),
  openDialog: z.strictObject({ with: Id }),
  renameRoom: z.strictObject({ room: Id, name: text(limits.roomNameLength) }),
  addMember: z.strictObject({ room: Id, user: Id }),
  removeMember: z.strictObject({ room: Id, user: Id }),
  leaveRoom: z.strictObject({ room: Id }),

  postMessage: z
    .strictObject({ room: Id, text: z.optional(text(limits.textLength, 0)), files: z.optional(Files) })
    .check(
      z.refine((post) => Boolean(post.text || post.files), {
        path: ["text"],
        message: "must not be empty without files",
      }),
    ),
  editMessage: z.strictObject({ room: Id, message: Ordinal, text: text(limits.textLength) }),
  deleteMessage: z.strictObject({ room: Id, message: Ordinal }),

  forwardFile: z.strictObject({ file: Id, room: Id }),
} as const;

/** The name of a command that a client may send. */
export type CommandName = keyof typeof commandInputs;
/** What command `K` takes. */
export type CommandInput<K extends CommandName> = z.infer<(typeof commandInputs)[K]>;
