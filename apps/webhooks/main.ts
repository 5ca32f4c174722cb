import { runApp } from "@connect-hub/runtime";
import { BadSetting } from "@connect-hub/runtime/settings";
import { readWebhooksConfig } from "./config.ts";
import { retryDead, startWebhooks } from "./index.ts";

const usage = `npm run webhooks                    posts chosen events to an HTTP address
npm run webhooks -- --retry-dead    sends what was given up once more, in order

Settings, in the environment:
  WEBHOOKS_URL           where events go: https://…
  WEBHOOKS_SECRET        signs them; at least 16 characters
  HUB_NATS_USER          svc-NAME, as "npm run hub -- service add NAME" said, and …
  HUB_NATS_PASSWORD      … its password
  WEBHOOKS_TYPES         names of events by commas (all that the service may see)
  WEBHOOKS_FROM          where one begins that never ran before: now, start (now)
  WEBHOOKS_DURABLE       a name; senders of other addresses need others (webhooks)
  WEBHOOKS_INSTANCES     how many senders can share the work, 1 to 64 (1)
  WEBHOOKS_DEAD_LETTERS  the file of what was given up (webhooks-dead.jsonl)
  WEBHOOKS_TIMEOUT_MS    for an answer (10000)
  WEBHOOKS_ATTEMPTS      before a room waits (8)
  WEBHOOKS_BACK_OFF_MS   the first pause between them, doubled up to a minute (500)
  HUB_NATS_URL           (nats://127.0.0.1:7751)
  HUB_PREFIX             stands before all names in NATS (none)
  HUB_LOG_LEVEL          (info)
`;
const args = process.argv.slice(2);
if (args.includes("--help")) process.stdout.write(usage);
else if (args.length === 0) runApp("webhooks", () => startWebhooks(readWebhooksConfig(process.env)));
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
