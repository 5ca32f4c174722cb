import type { Row } from "../kernel/fact.ts";

/** What is known of a file and of the one who asks for it, null where there is no such row. */
export interface FileRights {
  /** `files/<file>` */
  readonly file: Row | null;
  /** `room_files/<room of the file>|<file>` */
  readonly roomFile: Row | null;
  /** `memberships/<room of the file>|<user>` */
  readonly member: Row | null;
}

/**
 * Whether `user` may read a file: its owner until it is released; whoever is in its room while a message has it that is not from
 * before they came in.
 */
export function mayReadFile(user: string, { file, roomFile, member }: FileRights): boolean {
  if (file === null) return false;
  if (file.owner === user && file.state !== "released") return true;
  return member !== null && roomFile?.state === "posted" && Number(roomFile.s) >= Number(member.joined_s);
}
