import { fileURLToPath } from "node:url";
import type { CommandSender } from "@connect-hub/jetstream";
import type { FreshBox } from "../support/freshBox.ts";
import { startScript } from "./appProcess.ts";
import { commandOf, idOf, text } from "./senders.ts";

/** The bare loops in a process of their own, asked with the same commands over the same connection as ours. */
export interface BareSenders {
  grouped(room: string): Promise<void>;
  single(room: string): Promise<void>;
  close(): Promise<void>;
}

/** Starts the process; it writes `bytesPerCommand` for each command. */
export async function bareSenders(box: FreshBox, sender: CommandSender, bytesPerCommand: number): Promise<BareSenders> {
  const file = fileURLToPath(new URL("bareProcess.ts", import.meta.url));
  const subject = `${box.prefix}bare`;
  const process = await startScript(file, {
    BARE_NATS_URL: String(box.env.HUB_NATS_URL),
    BARE_SUBJECT: subject,
    BARE_BYTES: String(bytesPerCommand),
  });
  const send = async (kind: "grouped" | "single", room: string): Promise<void> => {
    const reply = await sender.send(
      `${subject}.${kind}`,
      commandOf("postMessage", idOf("owner", 0), room, { room, text }),
    );
    if (!("ok" in reply)) throw new Error(`${kind}: ${JSON.stringify(reply)}`);
  };
  return {
    grouped: (room) => send("grouped", room),
    single: (room) => send("single", room),
    close: () => process.close(),
  };
}
