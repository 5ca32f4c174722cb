import { InvalidArgumentError } from "commander";

/** Reads a number of seconds from the command line. */
export function seconds(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value) || value < 0) {
    throw new InvalidArgumentError("a number of seconds, for example 30.");
  }
  return value;
}
