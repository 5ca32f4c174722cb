import { runCli } from "./cli.ts";

process.exitCode = await runCli(process.argv.slice(2));
// All is said. A server that took a connection and answers nothing must not keep this process.
setTimeout(() => process.exit(), 1_000).unref();
