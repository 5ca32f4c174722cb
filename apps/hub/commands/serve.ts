import { keepBundle } from "@connect-hub/runtime";
import type { Command } from "commander";
import { assertNoRestore } from "../backup/restoreMarker.ts";
import type { ServingBox } from "../box/serveBox.ts";
import type { CommandContext } from "../cli.ts";

/** `hub serve`: the box in the foreground, until a signal. */
export function registerServe(program: Command, context: CommandContext): void {
  program
    .command("serve")
    .description("start the servers and all apps, and serve in the foreground until Ctrl-C")
    .action(async () => {
      const config = context.config();
      assertNoRestore(config.dataDir);
      const stop = stopSignal();
      keepBundle();
      let serving: ServingBox | undefined;
      // `hub service add` says so; without somebody who listens the signal would end this process.
      process.on("SIGUSR2", () => {
        serving
          ?.lookAtServices()
          .catch((error: unknown) => say(error instanceof Error ? error.message : String(error)));
      });
      // `hub restart` says so. One at a time.
      let restarting: Promise<unknown> = Promise.resolve();
      process.on("SIGUSR1", () => {
        restarting = restarting
          .then(() => serving?.restartEdges())
          .catch((error: unknown) => say(error instanceof Error ? error.message : String(error)));
      });
      const say = (message: string) => process.stderr.write(`${message}\n`);
      try {
        // Only here: the clients of all servers take a second to load, and the other commands don't need them.
        const { serveBox } = await import("../box/serveBox.ts");
        const box = await serveBox(config, { onProgress: say, signal: stop });
        serving = box;
        console.log(welcome(box.address, config.dataDir));
        await new Promise<void>((resolve) => stop.addEventListener("abort", () => resolve(), { once: true }));
        say("Stopping …");
        await box.close();
        say("Stopped.");
      } catch (error) {
        // Ctrl-C during the start is no failure.
        if (!(stop.aborted && error === stop.reason)) throw error;
      }
    });
}

/** One Ctrl-C may arrive several times: from the terminal, and from each program above that passes it on. */
const sameSignalMs = 1_000;

/** Fires at the first signal that asks to stop; a second one ends the process at once. */
function stopSignal(): AbortSignal {
  const stop = new AbortController();
  let firstAt = 0;
  const onSignal = () => {
    if (!stop.signal.aborted) {
      firstAt = Date.now();
      return stop.abort();
    }
    if (Date.now() - firstAt < sameSignalMs) return;
    process.stderr.write(
      "Stopped at once; what was left running is ended by the next start or by: npm run hub -- down\n",
    );
    process.exit(130);
  };
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(name, onSignal);
  return stop.signal;
}

/** What a person reads when the box serves. */
export function welcome(address: string, dataDir: string): string {
  return `
Connect Hub serves at ${address}   (data in ${dataDir})

  Open the address in two browser windows, register a person in each, make a room and talk.
  npm run hub -- status          what runs, and where its data lies
  npm run hub -- events tail     watch the log as people talk
  npm run demo                   a whole conversation on a box of its own, with everything killed in between
`;
}
