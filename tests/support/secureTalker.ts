// A person in a process of its own, so that it can be told whom to trust (NODE_EXTRA_CA_CERTS): makes a room and, for each line that it
// is given, posts a message and says when it was delivered. On which line it is tells its last word.
import { createInterface } from "node:readline";
import { connect, signIn } from "@connect-hub/sdk";
import { WebSocket } from "ws";

const [url = "", email = "", password = ""] = process.argv.slice(2);
const say = (words: object) => process.stdout.write(`${JSON.stringify(words)}\n`);

const { token, position } = await signIn({ url, email, password });
let lines = 0;
let heard = () => {};
const client = connect({
  url,
  token,
  ...(position !== undefined && { position }),
  WebSocket,
  onState(state) {
    if (state === "online") lines++;
  },
  onEvents(_, events) {
    for (const { t } of events) {
      if (t !== "messagePosted") continue;
      say({ delivered: t, lines });
      heard();
    }
  },
});
const { room } = await client.command("createRoom", { name: "Secure" });
say({ room });
for await (const text of createInterface({ input: process.stdin })) {
  // The answer may come before the event does.
  const delivered = new Promise<void>((resolve) => {
    heard = resolve;
  });
  await Promise.all([delivered, client.command("postMessage", { room, text })]);
}
client.close();
