import { vi } from "vitest";
import { runCli } from "../../apps/hub/cli.ts";

/** What `hub` did. */
export interface HubRun {
  readonly code: number;
  /** On stdout. */
  readonly said: string;
  /** On stderr. */
  readonly complaints: string;
}

/** Runs `hub` in this process on a data folder. */
export async function runHub(dataDir: string, ...args: string[]): Promise<HubRun> {
  const said: string[] = [];
  const complaints: string[] = [];
  const log = vi.spyOn(console, "log").mockImplementation((text: string) => void said.push(text));
  const stderr = vi.spyOn(process.stderr, "write").mockImplementation((text) => complaints.push(String(text)) > 0);
  try {
    const code = await runCli(args, { HUB_DATA: dataDir });
    return { code, said: said.join("\n"), complaints: complaints.join("") };
  } finally {
    log.mockRestore();
    stderr.mockRestore();
  }
}
