import { RuntimeError } from "@connect-hub/runtime";
import { BadSetting } from "@connect-hub/runtime/settings";
import { CommanderError } from "commander";

/** A restore of this box was begun and not finished: nothing may be served before it is. */
export class RestoreUnfinished extends Error {
  override readonly name = "RestoreUnfinished";
}

/** What the `hub` command's exit codes mean; `docs` and `hub --help` print this table. */
export const exitCodes = {
  done: 0,
  failed: 1,
  badSettingOrUsage: 2,
  notRunning: 3,
  alreadyRunning: 4,
  portInUse: 5,
  serverMissing: 6,
  restoreUnfinished: 7,
} as const;

/** Nothing has the id that was named. A lane, a type, a position that is none is bad usage instead. */
export class NotThere extends Error {
  override readonly name = "NotThere";
}

/** The box of a data folder isn't running. */
export class NotRunning extends Error {
  override readonly name = "NotRunning";
}

/** The exit code that tells a program why a command failed. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof BadSetting || error instanceof CommanderError) return exitCodes.badSettingOrUsage;
  if (error instanceof NotRunning) return exitCodes.notRunning;
  if (error instanceof RestoreUnfinished) return exitCodes.restoreUnfinished;
  if (!(error instanceof RuntimeError)) return exitCodes.failed;
  switch (error.code) {
    case "BadSetting":
      return exitCodes.badSettingOrUsage;
    case "AlreadyRunning":
      return exitCodes.alreadyRunning;
    case "PortInUse":
      return exitCodes.portInUse;
    case "ServerNotFound":
    case "ServerTooOld":
    case "ServerUnreachable":
    case "FetchFailed":
      return exitCodes.serverMissing;
    case "ServerFailed":
    case "DataUnusable":
      return exitCodes.failed;
  }
}
