import { runCli } from "./cli.ts";
import { exitCodes } from "./exitCodes.ts";
import { failureJson } from "./failure.ts";
import { outputFailure, watchOutput } from "./output.ts";

watchOutput();
// What was written may fail later.
process.once("exit", () => {
  const failure = outputFailure();
  if (failure === undefined) return;
  const message = `What was printed is not all there: ${failure.message}`;
  console.error(process.argv.includes("--json") ? failureJson({ code: "OutputFailed", message }) : message);
  process.exitCode = exitCodes.failed;
});
process.exitCode = await runCli(process.argv.slice(2));
// All is said. A server that took a connection and answers nothing must not keep this process.
setTimeout(() => process.exit(), 1_000).unref();
