import type { CommandReply } from "@connect-hub/domain/kernel";

/** Takes a message of commands that was packed in this process; `answer` is called once for each that is understood. */
export type LocalDoor = (bytes: Uint8Array, answer: (c: number, reply: CommandReply) => void) => void;

/** The doors of the writers in this process. The name of a writer, and with it the subject, is unlike any other's in the world. */
const doors = new Map<string, LocalDoor>();

/** Opens a door on `subject` for senders in this process; returns what closes it. */
export function openLocalDoor(subject: string, door: LocalDoor): () => void {
  doors.set(subject, door);
  return () => void doors.delete(subject);
}

/** The door on `subject`, if it is in this process. */
export function localDoor(subject: string): LocalDoor | undefined {
  return doors.get(subject);
}
