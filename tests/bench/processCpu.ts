import { readdirSync, readFileSync } from "node:fs";

/** CPU seconds, in user and kernel mode, that a process and all its descendants have used, those included that have ended since. */
export function cpuSecondsOf(pid: number): number {
  const all = new Map(readdirSync("/proc").flatMap(statOf));
  const tree = [pid];
  // It grows while it is walked.
  for (const parent of tree) for (const [child, stat] of all) if (stat.parent === parent) tree.push(child);
  return tree.reduce((sum, one) => sum + (all.get(one)?.ticks ?? 0), 0) / ticksPerSecond;
}

interface Stat {
  readonly parent: number;
  readonly ticks: number;
}

/** Nothing for what is no process, or none any more. */
function statOf(pid: string): readonly (readonly [number, Stat])[] {
  if (!/^\d+$/.test(pid)) return [];
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // After the name in brackets: its own time in user and kernel mode, then that of the children whose end it has heard of.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return [
      [Number(pid), { parent: Number(fields[1]), ticks: fields.slice(11, 15).reduce((a, b) => a + Number(b), 0) }],
    ];
  } catch {
    return [];
  }
}

const ticksPerSecond = 100;
