/** The apps that a box runs, in the order in which they are stopped: doors first. */
export const appNames = ["edge", "placement", "door", "commands", "projector"] as const;

/** One of the apps. */
export type AppName = (typeof appNames)[number];

/** One process and the apps in it. */
export interface AppProcess {
  /** For example `edge+commands`. */
  readonly name: string;
  readonly apps: readonly AppName[];
  /** What its apps find in their environment besides what all do. */
  readonly env?: Readonly<Record<string, string>>;
}

/** The filtering door: beside the processes that are asked for, as soon as there is a service. */
export const doorProcess: AppProcess = { name: "door", apps: ["door"] };

/** Reads `edge+commands,projector`: processes by commas, apps in one process by plus signs. A text says what is wrong. */
export function parseProcesses(value: string): readonly AppProcess[] | string {
  const processes: AppProcess[] = [];
  const seen = new Set<string>();
  for (const part of value.split(",")) {
    const apps: AppName[] = [];
    for (const word of part.split("+").map((one) => one.trim())) {
      const app = appNames.find((name) => name === word);
      if (app === undefined) return `there is no app "${word}", only ${appNames.join(", ")}.`;
      if (seen.has(app)) return `${app} is named twice.`;
      seen.add(app);
      apps.push(app);
    }
    processes.push({ name: apps.join("+"), apps });
  }
  return processes;
}

/** The processes with `count` edges, each beyond a single one in a process of its own, so that it can stop and start alone. */
export function withEdges(processes: readonly AppProcess[], count: number): readonly AppProcess[] {
  if (count === 1) return processes;
  return processes.flatMap((process) => {
    if (!process.apps.includes("edge")) return [process];
    const rest = process.apps.filter((app) => app !== "edge");
    const edges = Array.from({ length: count }, (_, at): AppProcess => {
      const name = `edge-${at + 1}`;
      return { name, apps: ["edge"], env: { HUB_EDGE_NAME: name, HUB_EDGE_SHARES_PORT: "1" } };
    });
    return rest.length === 0 ? edges : [...edges, { name: rest.join("+"), apps: rest }];
  });
}

/** The place of a process in the order of stopping; the lowest goes first. */
export function stopRank(process: AppProcess): number {
  return Math.min(...process.apps.map((app) => appNames.indexOf(app)));
}
