import { CommanderError } from "commander";

/** Why a command failed: a code for programs, a message for people. */
export interface Failure {
  readonly code: string;
  readonly message: string;
}

/** What is to be said of an error. */
export function failureOf(error: unknown): Failure {
  if (error instanceof CommanderError) return { code: "BadUsage", message: usageMessage(error) };
  if (!(error instanceof Error)) return { code: unnamed, message: String(error) };
  return { code: codeOf(error), message: messageOf(error) };
}

/** A failure as a program reads it on stderr. */
export function failureJson(failure: Failure): string {
  return JSON.stringify({ error: failure });
}

/** Of what has neither a code nor a name. */
const unnamed = "Failed";

function codeOf(error: Error): string {
  const words = ["code" in error ? error.code : undefined, error.name];
  const found = words.find((word) => typeof word === "string" && /^[A-Z]\w+$/.test(word) && word !== "Error");
  return typeof found === "string" ? found : unnamed;
}

function messageOf(error: Error): string {
  if (error.name === "AbortError") return "Stopped before it was done.";
  // By their codes: to load their classes takes longer than `status`.
  const isAway = "code" in error && (error.code === "LogUnavailable" || error.code === "FactsUnavailable");
  return isAway ? `${error.message.replace(/\.?$/, ".")} See: npm run hub -- status` : error.message;
}

function usageMessage({ code, message }: CommanderError): string {
  if (code === "commander.help") return "Say which command. See: npm run hub -- --help";
  return message.replace(/^error: /, "").replaceAll("\n", " ");
}
