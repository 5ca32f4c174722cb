import type { Command } from "@connect-hub/domain/kernel";
import { commandSender, type NatsLink } from "@connect-hub/jetstream";
import { expect, test } from "vitest";

/** A link on which nothing arrives. */
function deadLink() {
  const published: string[] = [];
  const link = {
    connected: true,
    newInbox: () => "inbox",
    onEvent: () => () => undefined,
    nc: {
      subscribe: () => ({ unsubscribe: () => undefined }),
      publish: (subject: string) => void published.push(subject),
    },
  };
  return { link: link as unknown as NatsLink, published };
}

const command = (text: unknown): Command => ({
  key: { actor: "a", id: "1" },
  kind: "postMessage",
  subject: "r",
  data: { text } as Command["data"],
  deadlineAt: Date.now() + 5_000,
});

test("a command that can't be written is answered with Internal; others still go out, and the process goes on", async () => {
  const { link, published } = deadLink();
  const bugs: unknown[] = [];
  const sender = commandSender(link, { onMalformed: () => undefined, onBug: (error) => void bugs.push(error) });
  const deep = JSON.parse(`${"[".repeat(30_000)}${"]".repeat(30_000)}`);
  const lost = sender.send("one", command(deep));
  const sent = sender.send("two", command("x"));
  expect(await lost).toEqual({ refused: { code: "Internal" } });
  expect([published, bugs]).toEqual([["two"], [expect.any(RangeError)]]);
  sender.close();
  expect(await sent).toEqual({ refused: { code: "Unavailable" } });
});
