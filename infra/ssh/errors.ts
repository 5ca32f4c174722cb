/**
 * Why a content node can't do what it was asked. `NodeUnreachable` no connection · `HostKeyMismatch` it shows another host key than
 * the pinned one · `LoginRefused` it takes neither the user nor the key · `NodeFull` no space left · `WrongPath` no such file or
 * folder there, or no right to it · `NodeCut` the line died, or nothing was heard for too long · `WrongBytes` it holds other bytes
 * than it was given · `NodeSlow` it did too little in too long · `NodeFailed` it reports any other failure · `BadAnswer` what it says is no SFTP.
 */
export type NodeErrorCode =
  | "NodeUnreachable"
  | "HostKeyMismatch"
  | "LoginRefused"
  | "NodeFull"
  | "WrongPath"
  | "NodeCut"
  | "WrongBytes"
  | "NodeSlow"
  | "NodeFailed"
  | "BadAnswer";

const passing: readonly NodeErrorCode[] = ["NodeUnreachable", "NodeCut", "WrongBytes", "NodeSlow", "NodeFailed"];

/** An operational failure of a content node or of the line to it. */
export class NodeError extends Error {
  override readonly name = "NodeError";
  readonly code: NodeErrorCode;
  /** Whether the same may succeed later without anybody's help. */
  readonly retryable: boolean;

  constructor(code: NodeErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? {} : { cause });
    this.code = code;
    this.retryable = passing.includes(code);
  }
}
