import { encodeRequest, type Request, requestBytes } from "./wire.ts";

const blockBytes = 256 * 1024;
/** Blocks kept for the next requests: as many as one transfer has under way. */
const keptBlocks = 8;

/**
 * Gathers the requests of one tick and sends them as one block: ssh makes packets of 32 KiB of whatever it is given, and each costs the
 * same whether it is full or not.
 * @param send takes a block and calls `done` when it needs it no more
 * @returns adds a request; its fields are copied at once
 */
export function requestBatch(send: (block: Uint8Array, done: () => void) => void): (request: Request) => void {
  const free: Buffer[] = [];
  let block: Buffer | undefined;
  let filled = 0;
  const flush = () => {
    const full = block;
    if (full === undefined) return;
    block = undefined;
    send(full.subarray(0, filled), () => {
      if (full.length === blockBytes && free.length < keptBlocks) free.push(full);
    });
  };
  return (request) => {
    const bytes = requestBytes(request);
    if (block !== undefined && filled + bytes > block.length) flush();
    if (block === undefined) {
      block = bytes > blockBytes ? Buffer.allocUnsafe(bytes) : (free.pop() ?? Buffer.allocUnsafe(blockBytes));
      filled = 0;
      // Runs when all that is ready now has had its turn, and before anything else is read.
      process.nextTick(flush);
    }
    filled = encodeRequest(request, block, filled);
  };
}
