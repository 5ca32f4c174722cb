import { decodeCommit, hashCommit } from "@connect-hub/domain/kernel";
import { BadSetting } from "@connect-hub/runtime/settings";
import type { Command } from "commander";
import type { CommandContext } from "../cli.ts";
import { withLanes } from "../lanes.ts";
import { eventLines, eventText } from "./eventLine.ts";
import { laneWith, parsePlace } from "./position.ts";

/** `hub events show`: one commit, as it is stored. */
export function registerShow(events: Command, context: CommandContext): void {
  events
    .command("show")
    .description("print one commit: its head, its entries, its events")
    .argument("<place>", "LANE:N, for example rooms.0:42")
    .option("--json", "the commit as it is stored, with its hash")
    .action((text: string, { json }: { readonly json?: true }) =>
      withLanes(context, undefined, async (lanes) => {
        const place = parsePlace(text);
        const stored = await (await laneWith(place, lanes)).readAt(place.n);
        if (stored === undefined) throw new BadSetting(`${place.lane} has no commit ${place.n} any more.`);
        console.log(json === true ? commitJson(stored.bytes) : commitText(stored.bytes));
      }),
    );
}

function commitJson(bytes: Uint8Array): string {
  return JSON.stringify({ hash: hashCommit(bytes), commit: decodeCommit(bytes) }, undefined, 2);
}

function commitText(bytes: Uint8Array): string {
  const commit = decodeCommit(bytes);
  const { lane, n, at, term, writer, epoch, prevHash, entries } = commit;
  const lines = eventLines(commit);
  return [
    `${lane} ${n}  ${at}  term ${term}  writer ${writer}  epoch ${epoch}`,
    `hash   ${hashCommit(bytes)}`,
    `before ${prevHash === "" ? "none: it is the first" : prevHash}`,
    ...entries.flatMap(({ kind, key, root }, index) => [
      `entry ${index}: ${kind} by ${key.actor}, key ${key.id}, root ${root}`,
      ...lines.filter(({ entry }) => entry === index).map((line) => `  ${line.event}: ${eventText(line)}`),
    ]),
    ...(entries.length === 0 ? ["no entries: a writer took the lane over"] : []),
  ].join("\n");
}
