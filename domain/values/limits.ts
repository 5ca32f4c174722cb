/** Every limit that a client can meet. `docs/protocol.md` lists them; tests try each at N − 1, N and N + 1. */
export const limits = {
  /** Characters (UTF-16 code units) of a message's text; at least 1. */
  textLength: 8_000,
  /** Characters of a room's name; at least 1. */
  roomNameLength: 120,
  /** Characters of a person's name; at least 1. */
  personNameLength: 80,
  /** Characters of a password, at least and at most. */
  passwordMinLength: 8,
  passwordMaxLength: 256,
  /** Characters of an e-mail address. */
  emailLength: 254,
  /** People named in one `createRoom`, its creator not counted. */
  firstMembers: 100,
  /** Edits of one message. */
  editsPerMessage: 100,
  /** Bytes of one frame from a client; a longer one closes the socket. */
  frameBytes: 65_536,
  /** Bytes of an HTTP body. */
  bodyBytes: 65_536,
  /** Commands and queries of one socket that are not answered yet. */
  inFlight: 64,
  /** Rooms in one resume. */
  resumeRooms: 1_000,
  /** Events of one room that a resume sends; a room further behind is answered `reset`. */
  resumeEvents: 1_000,
  /** Events in one page of history. */
  historyPage: 200,
  /** Bytes of one file. */
  fileBytes: 1_073_741_824,
  /** Characters of a file's name; at least 1. */
  fileNameLength: 255,
  /** Files of one message. */
  filesPerMessage: 10,
  /** Uploads of one person that were begun and are not whole. */
  openUploads: 16,
  /** How far ahead of the server a command id may be dated, in milliseconds. */
  idAheadMs: 120_000,
} as const;
