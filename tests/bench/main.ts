import { append } from "./append.ts";
import type { Bench } from "./bench.ts";
import { catchUp } from "./catchUp.ts";
import { coldLoad } from "./coldLoad.ts";
import { deliver } from "./deliver.ts";
import { diy } from "./diy.ts";
import { download } from "./download.ts";
import { fanout } from "./fanout.ts";
import { hotRoom } from "./hotRoom.ts";
import { idleMemory } from "./idleMemory.ts";
import { move } from "./move.ts";
import { project } from "./project.ts";
import { readYourWrites } from "./readYourWrites.ts";
import { rebuild } from "./rebuild.ts";
import { upload } from "./upload.ts";
import { verify } from "./verify.ts";

const benches: { readonly [name: string]: Bench } = {
  append,
  "cold-load": coldLoad,
  "hot-room": hotRoom,
  project,
  rebuild,
  fanout,
  deliver,
  "idle-memory": idleMemory,
  "catch-up": catchUp,
  download,
  diy,
  move,
  upload,
  "read-your-writes": readYourWrites,
  verify,
};

const name = process.argv[2] ?? "";
const bench = benches[name];
if (bench === undefined) {
  process.stderr.write(`There is no bench "${name}". Say one of: ${Object.keys(benches).join(", ")}.\n`);
  process.exit(2);
}
const parts = await bench((line) => void process.stderr.write(`${line}\n`));
const ok = parts.every((part) => part.ok);
const [only] = parts;
process.stdout.write(`${JSON.stringify(parts.length === 1 ? { ...only, name } : { name, ok, parts })}\n`);
process.exit(ok ? 0 : 1);
