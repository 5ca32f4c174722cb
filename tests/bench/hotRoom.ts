import { commandSender } from "@connect-hub/jetstream";
import { freshBox } from "../support/freshBox.ts";
import { startApps } from "./appProcess.ts";
import { bareSenders } from "./bareSenders.ts";
import { alternate, type Bench, benchServers, partOf } from "./bench.ts";
import { closedLoop, crowdOf } from "./senders.ts";

const senders = 200;
const pairs = 5;
const runMs = 3_000;
/** As `append` measures them. */
const bytesPerCommand = 1_000;

/**
 * 200 senders in one room through the commands app, against one append per command on that room's subject,
 * behind the same requests.
 */
export const hotRoom: Bench = async (say) => {
  const servers = await benchServers();
  const box = await freshBox(servers);
  const apps = await startApps(["commands", "projector"], box.env);
  const sender = commandSender(box.link, { onMalformed: say });
  try {
    const crowd = await crowdOf(box, sender, 1, senders);
    const post = () => crowd.post(crowd.rooms[0] ?? "", 0);
    const bare = await bareSenders(box, sender, bytesPerCommand);
    const all = Array.from({ length: senders });
    const rates = await alternate(pairs, say, {
      ours: async () =>
        (
          await closedLoop(
            all.map(() => post),
            runMs,
          )
        ).rate,
      single: async () =>
        (
          await closedLoop(
            all.map(() => () => bare.single(crowd.rooms[0] ?? "")),
            runMs,
          )
        ).rate,
    });
    await bare.close();
    return [partOf("hot-room", { ours: rates.ours, ceiling: rates.single }, 3)];
  } finally {
    sender.close();
    await apps.close();
    await box.close();
    await servers.close();
  }
};
