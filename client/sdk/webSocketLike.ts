/**
 * The part of the standard `WebSocket` that the client uses: a browser's, or that of the package `ws`. Their events differ in
 * type, but all have what the standard says: `data` of a message, `code` of a close.
 */
export interface WebSocketLike {
  send(text: string): void;
  close(code?: number, reason?: string): void;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  onerror: ((event: never) => void) | null;
}

/** Makes a socket to `url`. */
export type WebSocketConstructor = new (url: string) => WebSocketLike;
