/** The apps that a box runs, in the order in which they are stopped: doors first. */
export const appNames = ["edge", "placement", "door", "commands", "projector"] as const;

/** One of the apps. */
export type AppName = (typeof appNames)[number];

/** One process and the apps in it. */
export interface AppProcess {
  /** For example `edge+commands`. */
  readonly name: string;
  readonly apps: readonly AppName[];
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

/** The place of a process in the order of stopping; the lowest goes first. */
export function stopRank(process: AppProcess): number {
  return Math.min(...process.apps.map((app) => appNames.indexOf(app)));
}
