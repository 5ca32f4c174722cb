import { faultMain } from "../faults/faultMain.ts";
import { edgeKind } from "./edge/edgeKind.ts";
import { logKind } from "./log/logKind.ts";

const kinds = new Map([
  ["log", logKind],
  ["edge", edgeKind],
]);
const [name = "", ...args] = process.argv.slice(2);
const kind = kinds.get(name);
if (kind === undefined) {
  console.error([...kinds.values()].map(({ usage }) => usage).join("\n"));
  process.exitCode = 2;
} else process.exitCode = await faultMain(kind, args);
