import type { LaneId } from "@connect-hub/domain/values";
import { type NatsLink, pastOf } from "@connect-hub/jetstream";
import type { Connections } from "../box/connections.ts";
import { inBytes } from "../inBytes.ts";
import { type Finding, fail, ok, warn } from "./finding.ts";

/** Whether a lane's closed epochs lie where they should; nothing when there are none. */
export async function examineArchive(
  link: NatsLink,
  id: LaneId,
  connections: Connections,
): Promise<readonly Finding[]> {
  const { prefix, archiveDir } = connections;
  const past = await pastOf(link, { prefix, lane: id, archiveDir });
  const check = `archive of ${id}`;
  if (past.length === 0) return [];
  const bad = past.find(({ fault }) => fault !== null);
  if (bad !== undefined) {
    const todo = "Put it back from your copy of the archive: without it the tables can't be filled anew from the log.";
    return [fail(check, `${bad.file}: ${bad.fault}`, todo)];
  }
  const says = `commits 1–${past.at(-1)?.last} in ${inBytes(past.reduce((sum, { bytes }) => sum + bytes, 0))}`;
  if (past.every(({ file }) => file !== null)) return [ok(check, `${says} of files in ${archiveDir}`)];
  return [warn(check, `${says}, some still in NATS`, `Finish what was begun: npm run hub -- archive ${id}`)];
}
