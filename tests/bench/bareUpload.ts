import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { open, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";

// The ceiling of `upload`: a bare Node server that pipes what comes into a file, hashes it on the way and syncs it at the end.
const { BARE_PORT: port = "0", BARE_FOLDER: folder = "" } = process.env;
let files = 0;

const server = createServer(async (request, response) => {
  const path = join(folder, `bare-${++files}`);
  const hash = createHash("sha256");
  const hashing = new Transform({
    transform(chunk, _, done) {
      hash.update(chunk);
      done(null, chunk);
    },
  });
  await pipeline(request, hashing, createWriteStream(path));
  const file = await open(path, "r+");
  await file.sync();
  await file.close();
  response.end(hash.digest("hex"));
  await rm(path);
});
server.listen(Number(port), "127.0.0.1", () => process.send?.("ready"));
process.on("SIGTERM", () => process.exit(0));
process.on("disconnect", () => process.exit(0));
