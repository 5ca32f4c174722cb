import type { CommandName } from "@connect-hub/domain/values";
import type { FileAnswer } from "./files.ts";

/** The room, and the `s` of the event that the command made there. */
export interface RoomAnswer {
  readonly room: string;
  readonly s: number;
}

/** What each command answers in `ok`. */
export interface CommandAnswers extends Record<CommandName, unknown> {
  readonly register: { readonly user: string };
  readonly signIn: { readonly user: string; readonly session: string; readonly token: string };
  readonly signOut: Readonly<Record<string, never>>;
  readonly closeAccount: Readonly<Record<string, never>>;
  readonly createRoom: RoomAnswer;
  /** The same room for the same two people, whoever asks and however often. */
  readonly openDialog: RoomAnswer;
  readonly renameRoom: RoomAnswer;
  readonly addMember: RoomAnswer;
  readonly removeMember: RoomAnswer;
  readonly leaveRoom: RoomAnswer;
  /** `s` names the message from now on; `m` is its ordinal among the room's messages. */
  readonly postMessage: RoomAnswer & { readonly m: number };
  readonly editMessage: RoomAnswer;
  readonly deleteMessage: RoomAnswer;
  /** The new file is to be posted in the room, as an uploaded one. */
  readonly forwardFile: FileAnswer;
}
