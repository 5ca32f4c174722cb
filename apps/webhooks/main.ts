import { runApp } from "@connect-hub/runtime";
import { BadSetting } from "@connect-hub/runtime/settings";
import { readWebhooksConfig } from "./config.ts";
import { retryDead, startWebhooks } from "./index.ts";

const args = process.argv.slice(2);
if (args.length === 0) runApp("webhooks", () => startWebhooks(readWebhooksConfig(process.env)));
else process.exitCode = await retry(args).catch(complain);

async function retry(words: readonly string[]): Promise<number> {
  if (words.join(" ") !== "--retry-dead")
    throw new BadSetting(`"${words.join(" ")}" has no meaning here: say --retry-dead, or nothing to start the sender.`);
  const { delivered, stillDead } = await retryDead(readWebhooksConfig(process.env));
  process.stdout.write(`${delivered} subject(s) go on, ${stillDead} still wait.\n`);
  return stillDead === 0 ? 0 : 1;
}

/** Says in a line what a person who typed this needs to know; the answer is the exit code. */
function complain(error: unknown): number {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  return error instanceof BadSetting ? 2 : 1;
}
