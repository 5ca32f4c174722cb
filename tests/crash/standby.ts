import { pathToFileURL } from "node:url";

// Loads everything that an app needs and begins only when it is told to: a process that died is replaced at once.
const main = pathToFileURL(process.argv[2] ?? "");
await import(new URL("index.ts", main).href);
process.once("message", () => void import(main.href));
