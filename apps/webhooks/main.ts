import { runApp } from "@connect-hub/runtime";
import { readWebhooksConfig } from "./config.ts";
import { retryDead, startWebhooks } from "./index.ts";

if (process.argv.includes("--retry-dead")) {
  const { delivered, stillDead } = await retryDead(readWebhooksConfig(process.env));
  process.stdout.write(`${delivered} subject(s) go on, ${stillDead} still wait.\n`);
  process.exitCode = stillDead === 0 ? 0 : 1;
} else {
  runApp("webhooks", () => startWebhooks(readWebhooksConfig(process.env)));
}
