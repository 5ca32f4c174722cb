import WebSocket from "ws";
import { newKey } from "../listener.ts";
import { type ChatClient, type OpenOptions, Tally } from "./chat.ts";
import type { PlainMessage } from "./plainServer.ts";

/**
 * A client of the plain chat, on the same WebSocket library as that of ours, so that both cost the same here: what `socket.io-client` says,
 * without it. Resolves when it has signed in.
 */
export async function openPlainClient(
  url: string,
  token: string,
  { from, onMessage }: OpenOptions = {},
): Promise<ChatClient> {
  const socket = new WebSocket(`${url}/socket.io/?EIO=4&transport=websocket`, { perMessageDeflate: false });
  const tally = new Tally();
  const cursor = new Map(from);
  const answers = new Map<number, (answer: unknown) => void>();
  let requests = 0;

  const take = ({ id, room, text }: PlainMessage): void => {
    const last = cursor.get(room)?.number ?? 0;
    cursor.set(room, { number: Math.max(id, last), epoch: "" });
    tally.take(id, id > last);
    onMessage?.(text);
  };

  await new Promise<void>((resolve, reject) => {
    socket.on("error", reject);
    socket.on("close", (code) => reject(new Error(`closed with ${code}`)));
    socket.on("message", (data: Buffer) => {
      const said = data.toString();
      const last = Object.fromEntries([...cursor].map(([room, { number }]) => [room, number]));
      switch (said.slice(0, 2)) {
        // An event; an answer; signed in; refused.
        case "42":
          return (JSON.parse(said.slice(2)) as [string, readonly PlainMessage[]])[1].forEach(take);
        case "43": {
          const begin = said.indexOf("[");
          return answers.get(Number(said.slice(2, begin)))?.((JSON.parse(said.slice(begin)) as [unknown])[0]);
        }
        case "40":
          return resolve();
        case "44":
          return reject(new Error(said));
      }
      if (said.startsWith("0")) socket.send(`40${JSON.stringify({ token, last })}`);
      if (said === "2") socket.send("3");
    });
  });

  function ask<Answer>(name: string, data: object): Promise<Answer> {
    const i = ++requests;
    return new Promise((resolve) => {
      answers.set(i, (answer) => {
        answers.delete(i);
        resolve(answer as Answer);
      });
      socket.send(`42${i}${JSON.stringify([name, data])}`);
    });
  }

  return {
    tally,
    cursor: () => new Map(cursor),
    post: async (room, text) => (await ask<{ readonly id: number }>("post", { room, text, offset: newKey() })).id,
    async page(room, before, limit) {
      const messages = await ask<readonly PlainMessage[]>("history", { room, before, limit });
      return messages.map(({ id }) => id);
    },
    has: (count) => tally.has(count),
    close: () => socket.terminate(),
  };
}
