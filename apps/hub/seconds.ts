import { InvalidArgumentError } from "commander";

/** Timers take no more than 2³¹ ms. */
const most = 2_000_000;

/** Reads a number of seconds from the command line. */
export function seconds(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !(value >= 0 && value <= most)) {
    throw new InvalidArgumentError(`a number of seconds from 0 to ${most}, for example 30.`);
  }
  return value;
}
