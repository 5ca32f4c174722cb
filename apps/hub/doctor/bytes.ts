import { type BlobSummary, blobsAfter, contentNodes } from "@connect-hub/projections";
import type { Connections } from "../box/connections.ts";
import { storeOf } from "../contentStore.ts";
import { withContentTables } from "../contentTables.ts";
import { type Finding, fail, ok, warn } from "./finding.ts";

const batchSize = 1_000;
/** So many replicas a blob should have where there are so many nodes. */
const replicasWanted = 2;

/** Whether all bytes that files have are where the log says that they are. */
export async function bytesFindings(connections: Connections): Promise<readonly Finding[]> {
  const store = await storeOf(connections);
  const count = { all: 0, nowhere: 0, notHere: 0, few: 0 };
  await withContentTables(connections, async (db) => {
    const wanted = Math.min(replicasWanted, (await contentNodes(db)).length);
    let batch: readonly BlobSummary[] = [];
    do {
      batch = await blobsAfter(db, batch.at(-1)?.hash ?? "", batchSize);
      for (const blob of batch.filter(({ refs }) => refs > 0)) {
        count.all += 1;
        const isHere = (await store.sizeOf(blob.hash)) === blob.size;
        const ill = illOf(blob, isHere, wanted);
        if (ill !== undefined) count[ill] += 1;
      }
    } while (batch.length === batchSize);
  });
  const says = `${count.all} of files`;
  const restore = "If you have a backup that has them: npm run hub -- restore DIR";
  const more = "Add a node, or look after those there are: npm run hub -- node list";
  return [
    count.nowhere === 0 ? ok("bytes", says) : fail("bytes", `${says}, ${count.nowhere} of them nowhere`, restore),
    ...(count.notHere === 0
      ? []
      : [warn("bytes here", `${count.notHere} are on nodes alone`, "Did somebody remove them?")]),
    ...(count.few === 0 ? [] : [warn("replicas", `${count.few} are on fewer nodes than they should be`, more)]),
  ];
}

function illOf(
  { local, replicas }: BlobSummary,
  isHere: boolean,
  wanted: number,
): "nowhere" | "notHere" | "few" | undefined {
  if (!isHere && replicas === 0) return "nowhere";
  if (!isHere && local) return "notHere";
  return !local && replicas < wanted ? "few" : undefined;
}
