import { NodeError } from "./errors.ts";

/** The longest packet that OpenSSH sends or takes (SFTP_MAX_MSG_LENGTH). */
export const maxPacketBytes = 256 * 1024;

/**
 * Cuts a stream of bytes into SFTP packets, each without its length. Holds at most one packet that isn't whole yet.
 * The function that it returns throws `NodeError` `BadAnswer` for a length that no packet has.
 */
export function packetSplitter(onPacket: (packet: Uint8Array) => void): (chunk: Uint8Array) => void {
  const header = Buffer.alloc(4);
  let headerFilled = 0;
  let body: Buffer | undefined;
  let bodyFilled = 0;
  return (chunk) => {
    let at = 0;
    while (at < chunk.length) {
      if (body === undefined) {
        const taken = Math.min(4 - headerFilled, chunk.length - at);
        header.set(chunk.subarray(at, at + taken), headerFilled);
        headerFilled += taken;
        at += taken;
        if (headerFilled < 4) return;
        const length = header.readUInt32BE();
        if (length < 1 || length > maxPacketBytes) {
          throw new NodeError("BadAnswer", `The node sent a packet of ${length} bytes.`);
        }
        body = Buffer.allocUnsafe(length);
      }
      const taken = Math.min(body.length - bodyFilled, chunk.length - at);
      body.set(chunk.subarray(at, at + taken), bodyFilled);
      bodyFilled += taken;
      at += taken;
      if (bodyFilled < body.length) return;
      const whole = body;
      headerFilled = 0;
      bodyFilled = 0;
      body = undefined;
      onPacket(whole);
    }
  };
}
