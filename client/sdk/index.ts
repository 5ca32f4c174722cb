export { type AccountOptions, register, type Session, signIn, signOut } from "./accounts.ts";
export type { ChatEvent } from "./chatEvent.ts";
export type { Client, ClientListener, ConnectOptions } from "./client.ts";
export { connect } from "./connect.ts";
export {
  downloadFile,
  dropUpload,
  type FileOptions,
  fileUrl,
  forwardFile,
  type NewFile,
  type Part,
  type Upload,
  uploadFile,
} from "./files.ts";
export { HubError, type HubErrorName } from "./hubError.ts";
export type { LineState } from "./line.ts";
export { newKey } from "./newKey.ts";
export type {
  Member,
  Message,
  Post,
  ResetMark,
  RoomStatus,
  RoomStore,
  RoomView,
  SentMessage,
  UnsentMessage,
} from "./roomView.ts";
export type { WebSocketConstructor, WebSocketLike } from "./webSocketLike.ts";
