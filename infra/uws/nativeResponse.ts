/** What is used of a response of uWebSockets.js. After its end or abort each of these throws. */
export interface NativeResponse {
  onAborted(handler: () => void): unknown;
  onData(handler: (chunk: ArrayBuffer, isLast: boolean) => void): unknown;
  onWritable(handler: (offset: number) => boolean): unknown;
  cork(work: () => void): unknown;
  writeStatus(status: string): unknown;
  writeHeader(name: string, value: string): unknown;
  end(body: string | Uint8Array, closeConnection: boolean): unknown;
  endWithoutBody(length?: number, closeConnection?: boolean): unknown;
  /** Writes what the peer takes now; `[whole chunk taken, answer complete]`. */
  tryEnd(chunk: Uint8Array, length: number): [boolean, boolean];
  getWriteOffset(): number;
  /** Both also set the time anew after which the library closes a silent connection (10 s). */
  pause(): unknown;
  resume(): unknown;
  /** Cuts the connection; calls what `onAborted` was given. */
  close(): unknown;
}
