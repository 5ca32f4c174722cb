export { type ConnectOptions, connectNode, type NodeTarget } from "./connectNode.ts";
export { NodeError, type NodeErrorCode } from "./errors.ts";
export type { NodeFile, NodeLink, ReadBack } from "./nodeLink.ts";
export { type PutStep, type PutVerifiedOptions, putVerified, removeLeftovers } from "./putVerified.ts";
export { nativeCrypto, probeHostKey, type SshAddress } from "./ssh2.ts";
export type { Source } from "./transfer.ts";
