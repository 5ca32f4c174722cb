import { closeSync, existsSync, fsyncSync, openSync, readFileSync, writeSync } from "node:fs";
import type { ParkedSubject } from "@connect-hub/events";
import { z } from "zod";
import { badSetting } from "./config.ts";

// Of which durable a line is: several may write to one file. Older lines do not say it.
const durable = z.string().optional();
const Line = z.union([
  z.object({
    durable,
    dead: z.object({ subject: z.object({ kind: z.string(), id: z.string() }), parkedAt: z.string() }),
  }),
  z.object({ durable, delivered: z.string(), subject: z.object({ kind: z.string(), id: z.string() }) }),
]);
type Named = Pick<ParkedSubject, "parkedAt"> & { readonly subject: { readonly kind: string; readonly id: string } };

/** The file that tells people what was given up, and what was delivered after all: one JSON line each, only ever added to. */
export interface DeadLetters {
  /** Writes down what is new, and tells what was given up since. Throws what the file system answers. */
  note(parked: readonly ParkedSubject[]): readonly ParkedSubject[];
}

/** Throws `BadSetting` when the file can't be written; makes it when it is not there. */
export function assertWritable(path: string): void {
  try {
    append(path, []);
  } catch (error) {
    throw badSetting(
      "WEBHOOKS_DEAD_LETTERS",
      `is no file that can be written: ${error instanceof Error ? error.message : error}`,
    );
  }
}

/** Those of one durable. */
export function deadLetters(path: string, durable: string): DeadLetters {
  let noted: string | undefined;
  return {
    note(parked) {
      const now = parked.map(timesOf).sort().join();
      if (now === noted) return [];
      const written = openLetters(path, durable);
      const fresh = parked.filter((one) => written.get(nameOf(one)) !== one.parkedAt);
      const dead = fresh.map((one) => ({ durable, dead: one }));
      const names = new Set(parked.map(nameOf));
      const delivered = [...written.keys()]
        .filter((name) => !names.has(name))
        .map((name) => deliveredLine(name, durable));
      if (dead.length + delivered.length > 0) append(path, [...delivered, ...dead]);
      noted = now;
      return fresh;
    },
  };
}

/** What the file says is still dead: when it was given up, by its subject. */
function openLetters(path: string, durable: string): Map<string, string> {
  const open = new Map<string, string>();
  const lines = existsSync(path) ? readFileSync(path, "utf8").split("\n") : [];
  for (const text of lines) {
    const line = Line.safeParse(jsonOf(text)).data;
    if (line === undefined || (line.durable ?? durable) !== durable) continue;
    if ("dead" in line) open.set(nameOf(line.dead), line.dead.parkedAt);
    else open.delete(nameOf(line));
  }
  return open;
}

/** A line that a crash cut short counts as none. */
function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function deliveredLine(name: string, durable: string): object {
  const [kind, id] = JSON.parse(name) as [string, string];
  const at = new Date().toISOString();
  return { durable, delivered: at, subject: { kind, id } };
}

const nameOf = ({ subject: { kind, id } }: Pick<Named, "subject">): string => JSON.stringify([kind, id]);
const timesOf = (one: Named): string => `${nameOf(one)} ${one.parkedAt}`;

function append(path: string, lines: readonly object[]): void {
  const file = openSync(path, "a", 0o600);
  try {
    writeSync(file, lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
