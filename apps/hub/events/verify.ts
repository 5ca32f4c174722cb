import { type Command, InvalidArgumentError } from "commander";
import type { CommandContext } from "../cli.ts";
import { exitCodes } from "../exitCodes.ts";
import { signedHeadsOf, withLanes } from "../lanes.ts";
import { progressBar } from "../progressBar.ts";
import { textTable } from "../table.ts";
import { typed } from "../typed.ts";
import { untilSignal } from "../untilSignal.ts";
import { assertSignedBy, publicKeyOf, readHeadsFile } from "./heads.ts";
import { type LaneVerdict, unlessRestored, verifyLane } from "./verifyLane.ts";

interface VerifyCommandOptions {
  readonly lane?: string;
  readonly heads?: string;
  readonly key?: readonly string[];
  readonly restored?: true;
  readonly json?: true;
}

/** `hub events verify`: whether the log is what it says that it is, and what was signed of it. */
export function registerVerify(events: Command, context: CommandContext): void {
  events
    .command("verify")
    .description("read the whole log and check its chain of hashes, the roots of all entries, and every signed head")
    .option("--lane <lane>", "only this lane")
    .option("--heads <file>", "also the heads in this file, which were printed earlier by: events heads --json")
    .option("--key <keys...>", "public keys that were this box's before", publicKeys)
    .option("--restored", "the box was restored from a backup: that the log ends before some heads then is no fault")
    .option("--json", "for programs")
    .action((options: VerifyCommandOptions) => verify(context, options));
}

function verify(context: CommandContext, options: VerifyCommandOptions) {
  const { lane: only, heads: file, key: keys = [], restored, json } = options;
  return withLanes(context, only, async (lanes, log) => {
    const ids = lanes.map(({ id }) => id);
    const kept = await signedHeadsOf(log, ids);
    const given = file === undefined ? [] : await readHeadsFile(typed(file));
    const ofLanes = only === undefined ? given : given.filter(({ lane }) => lane === only);
    const heads = [...kept, ...ofLanes];
    if (heads.length > 0) assertSignedBy(heads, [publicKeyOf(context), ...keys], lanes);
    const { signal, release } = untilSignal();
    const bar = progressBar("commits");
    const verdicts: LaneVerdict[] = [];
    try {
      for (const one of lanes) {
        const own = heads.filter(({ lane }) => lane === one.id);
        const verdict = await verifyLane(one, { signal, heads: own, onProgress: bar.show });
        verdicts.push(restored === true ? verdict : unlessRestored(verdict));
      }
    } finally {
      bar.end();
      release();
    }
    console.log(json === true ? JSON.stringify(verdicts, undefined, 2) : verdictTable(verdicts));
    if (verdicts.some(({ fault }) => fault !== undefined)) context.exitWith(exitCodes.failed);
  });
}

/** Public keys on the command line, one at a time. */
function publicKeys(text: string, before: readonly string[] = []): readonly string[] {
  if (!/^[\w-]{43}$/.test(text))
    throw new InvalidArgumentError("a public key is 43 of A-Z, a-z, 0-9, - and _, as events key prints it.");
  return [...before, text];
}

function verdictTable(verdicts: readonly LaneVerdict[]): string {
  return textTable(
    ["lane", "commits", "events", "signed", "verdict"],
    verdicts.map(({ lane, commits, events, heads, fault }) => {
      const verdict = fault === undefined ? "whole" : `commit ${fault.n}: ${fault.what}`;
      const gone = heads.restoredOver === 0 ? "" : `; ${heads.restoredOver} of commits that a restore took away`;
      const signed = heads.last === undefined ? "no" : `up to ${heads.last.n} by ${heads.checked} heads${gone}`;
      return [lane, String(commits), String(events), signed, verdict];
    }),
  );
}
