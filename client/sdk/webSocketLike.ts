/** The part of the standard `WebSocket` that the client uses: a browser's, or that of the package `ws`. */
export interface WebSocketLike {
  send(text: string): void;
  close(code?: number, reason?: string): void;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: { readonly data: unknown }) => void) | null;
  onclose: ((event: { readonly code: number }) => void) | null;
  onerror: ((event: never) => void) | null;
}

/** Makes a socket to `url`. */
export type WebSocketConstructor = new (url: string) => WebSocketLike;
