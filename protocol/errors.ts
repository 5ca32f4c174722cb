import type { Json, RefusalCode } from "@connect-hub/domain/values";

/** The refusals that only the wire knows; all others are the domain's `RefusalCode`s. */
export const protocolCodes = [
  "BadJson",
  "BadFrame",
  "FrameTooLarge",
  "NotAuthenticated",
  "AuthTimeout",
  "TooManyInFlight",
  "BadCursor",
  "TooManyRooms",
  "TooManyAttempts",
  "NotFound",
  "ShuttingDown",
  "OriginNotAllowed",
  "NotYet",
  "BeforeHistory",
  "UploadNotFound",
  "WrongOffset",
  "UploadInUse",
  "TooManyUploads",
] as const;
export type ProtocolCode = (typeof protocolCodes)[number];

/** The name of anything that can go wrong, as it stands in `err.name`. */
export type ErrorName = RefusalCode | ProtocolCode;

/** One row of the closed table. */
export interface ErrorEntry {
  /** `err.code`. Never changes, never used again for something else. */
  readonly code: number;
  /** The status of an HTTP answer. */
  readonly http: number;
  /** Whether the same request, unchanged and with the same key, may be sent again with a chance to succeed. */
  readonly retry: boolean;
  /** How long to wait before that, in milliseconds; the sender adds jitter of its own. */
  readonly afterMs?: number;
  /** The code with which the socket is closed after the error; without one it stays open. */
  readonly close?: number;
  readonly meaning: string;
}

/**
 * Everything that goes wrong on the wire, closed and numbered: 1xx the protocol, 2xx the request, 3xx accounts, 4xx rooms
 * and messages, 5xx try again, 6xx files (from 651 on: nodes, told to operators alone). Own close codes are 4000 + the number; 1009, 1012 and 1013 are those of RFC 6455's registry.
 */
const errorTable = {
  BadJson: { code: 101, http: 400, retry: false, close: 4101, meaning: "The frame or body is no JSON text." },
  BadFrame: {
    code: 102,
    http: 400,
    retry: false,
    meaning: "JSON, but no frame of this protocol; `detail` says where.",
  },
  FrameTooLarge: {
    code: 103,
    http: 413,
    retry: false,
    close: 1009,
    meaning: "More bytes than a frame or body may have.",
  },
  NotAuthenticated: {
    code: 104,
    http: 401,
    retry: false,
    close: 4104,
    meaning: "No token, or a text that is no token, or a frame before `auth`.",
  },
  AuthTimeout: { code: 105, http: 408, retry: true, close: 4105, meaning: "No `auth` came in time." },
  TooManyInFlight: {
    code: 106,
    http: 429,
    retry: true,
    afterMs: 50,
    meaning: "Too many commands and queries of this socket, or over HTTP of this session, are unanswered.",
  },
  BadCursor: { code: 107, http: 400, retry: false, meaning: "A cursor in `resume` is not `[epoch, s]`." },
  TooManyRooms: { code: 108, http: 400, retry: false, meaning: "More rooms than one `resume` may name." },
  TooManyAttempts: {
    code: 109,
    http: 429,
    retry: true,
    meaning: "Too many of these by this person, or from this address; `afterMs` says when to come back.",
  },
  NotFound: { code: 110, http: 404, retry: false, meaning: "No such path, or not with this HTTP method." },
  ShuttingDown: {
    code: 111,
    http: 503,
    retry: true,
    close: 1012,
    meaning: "This edge stops; connect again after `afterMs`.",
  },
  Internal: { code: 112, http: 500, retry: false, meaning: "A bug here; nothing is known of the outcome." },
  OriginNotAllowed: {
    code: 113,
    http: 403,
    retry: false,
    meaning: "The page that asks is of another origin than this server lets in (`HUB_ALLOWED_ORIGINS`).",
  },

  BadInput: { code: 201, http: 400, retry: false, meaning: "`d` does not fit the method; `detail` says where." },
  UnknownMethod: { code: 202, http: 404, retry: false, meaning: "No command or query of that name." },
  KeyReused: { code: 203, http: 409, retry: false, meaning: "This key was used before, with other data." },
  KeyDatedAhead: { code: 204, http: 400, retry: false, meaning: "The key's UUIDv7 lies in the future: set the clock." },
  BadPosition: {
    code: 205,
    http: 400,
    retry: false,
    meaning:
      "`a` is no position token, or one of a past epoch, or beyond the end of a lane: forget it, and ask again without.",
  },

  WrongCredentials: { code: 301, http: 401, retry: false, meaning: "Unknown e-mail address or wrong password." },
  EmailTaken: { code: 302, http: 409, retry: false, meaning: "Somebody has an account with this e-mail address." },
  SessionEnded: { code: 303, http: 401, retry: false, close: 4303, meaning: "The session was ended: sign in again." },
  AccountClosed: { code: 304, http: 403, retry: false, close: 4304, meaning: "The account was closed." },
  PersonNotFound: { code: 305, http: 404, retry: false, meaning: "No such person." },

  RoomNotFound: { code: 401, http: 404, retry: false, meaning: "No such room, or the asker is not in it." },
  NotAllowed: { code: 402, http: 403, retry: false, meaning: "The role in the room does not allow it." },
  AlreadyAMember: { code: 403, http: 409, retry: false, meaning: "The person is in the room already." },
  NotInRoom: { code: 404, http: 404, retry: false, meaning: "The person is not in the room." },
  LastOwner: { code: 405, http: 409, retry: false, meaning: "The last owner can't leave." },
  DialogIsFixed: { code: 406, http: 409, retry: false, meaning: "A dialog has no name and no other people." },
  DialogWithSelf: { code: 407, http: 400, retry: false, meaning: "A dialog takes two people." },
  MessageNotFound: { code: 408, http: 404, retry: false, meaning: "No such message in this room." },
  MessageIsDeleted: { code: 409, http: 409, retry: false, meaning: "The message was deleted." },
  TooManyEdits: { code: 410, http: 409, retry: false, meaning: "The message can't be edited any more." },
  NotYet: {
    code: 411,
    http: 404,
    retry: false,
    meaning: "The room has no such event yet (`detail.head` is its last), or the instant lies in the future.",
  },
  BeforeHistory: {
    code: 412,
    http: 403,
    retry: false,
    meaning: "That was before the asker came into the room, at event `detail.from`.",
  },

  Busy: { code: 501, http: 503, retry: true, afterMs: 250, meaning: "Too much is waiting already." },
  Unavailable: { code: 502, http: 503, retry: true, afterMs: 500, close: 1013, meaning: "Something needed is away." },
  DeadlinePassed: {
    code: 503,
    http: 504,
    retry: true,
    afterMs: 100,
    meaning: "No answer in time; it may have happened: the same key tells.",
  },
  LaneMoved: { code: 504, http: 503, retry: true, afterMs: 100, meaning: "The lane's writer changed meanwhile." },
  NotCaughtUp: {
    code: 505,
    http: 503,
    retry: true,
    afterMs: 200,
    meaning: "The tables had not reached the position `a` in time.",
  },
  Parked: {
    code: 506,
    http: 503,
    retry: true,
    afterMs: 5_000,
    meaning:
      "What this is about can't be read at present: an event of it can't be applied until the server is mended or updated. Nothing is lost.",
  },

  FileNotFound: { code: 601, http: 404, retry: false, meaning: "No such file, or not for the asker." },
  FileTooLarge: { code: 602, http: 413, retry: false, meaning: "More bytes than a file may have." },
  LengthRequired: {
    code: 603,
    http: 411,
    retry: false,
    meaning: "An upload says beforehand how long it is: `Content-Length`.",
  },
  WrongDigest: { code: 604, http: 400, retry: false, meaning: "The bytes are not those that `Content-Digest` names." },
  StorageFull: {
    code: 605,
    http: 507,
    retry: true,
    afterMs: 30_000,
    meaning: "No space for files is left; what is moved to nodes makes some.",
  },
  BadRange: { code: 606, http: 416, retry: false, meaning: "The range lies outside of the file." },
  FileUnavailable: {
    code: 607,
    http: 503,
    retry: true,
    afterMs: 2_000,
    meaning: "The file is whole, but no node that has it answers.",
  },
  UploadCut: { code: 608, http: 400, retry: false, meaning: "The upload ended before its last byte." },
  UploadNotFound: {
    code: 609,
    http: 404,
    retry: false,
    meaning:
      "No such upload of the asker here, or its day is over: begin anew, with the same key if it is the same file.",
  },
  WrongOffset: {
    code: 610,
    http: 409,
    retry: false,
    meaning: "The upload has another number of bytes than `Upload-Offset` says: ask for it, and go on from there.",
  },
  UploadInUse: {
    code: 611,
    http: 409,
    retry: true,
    afterMs: 1_000,
    meaning: "Another request sends bytes for this upload, or its line is not known to be dead yet.",
  },
  TooManyUploads: {
    code: 612,
    http: 429,
    retry: false,
    meaning: "The person has as many uploads open as they may (`openUploads`): finish one, or `DELETE` one.",
  },
  BlobNotFound: { code: 651, http: 404, retry: false, meaning: "No bytes of that hash were ever stored." },
  NodeNotFound: { code: 652, http: 404, retry: false, meaning: "No such node." },
  NodeExists: { code: 653, http: 409, retry: false, meaning: "A node of that name is there." },
  NotEnoughReplicas: {
    code: 654,
    http: 409,
    retry: false,
    meaning: "Too few nodes have these bytes to drop them here.",
  },
} as const satisfies Record<ErrorName, ErrorEntry>;

/** All names, in the order of the table. */
export const errorNames = Object.keys(errorTable) as readonly ErrorName[];

/** The row of `name`. */
export function errorEntry(name: ErrorName): ErrorEntry {
  return errorTable[name];
}

/** An error as it stands on the wire. */
export interface WireError {
  readonly code: number;
  readonly name: ErrorName;
  readonly retry: boolean;
  readonly afterMs?: number;
  readonly detail?: Json;
}

/** The error `name` for the wire. `afterMs` replaces the table's. */
export function wireError(name: ErrorName, detail?: Json, afterMs?: number): WireError {
  const entry = errorEntry(name);
  const wait = afterMs ?? entry.afterMs;
  return {
    code: entry.code,
    name,
    retry: entry.retry,
    ...(wait === undefined ? {} : { afterMs: wait }),
    ...(detail === undefined ? {} : { detail }),
  };
}
