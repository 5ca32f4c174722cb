import { instantForm, parseInstant } from "@connect-hub/domain/values";
import { BadSetting } from "@connect-hub/runtime/settings";
import { type Command, InvalidArgumentError } from "commander";
import type { EventFilter } from "./eventFilter.ts";
import { typeProblem } from "./knownTypes.ts";

/** What the options below are parsed to. */
export interface FilterOptions {
  readonly room?: string;
  readonly account?: string;
  readonly type?: readonly string[];
  readonly since?: number;
  readonly until?: number;
}

/** Adds the options that say which events are wanted. */
export function withFilterOptions(command: Command): Command {
  return command
    .option("--room <id>", "only events that name this room", anId)
    .option("--account <id>", "only events that name this account", anId)
    .option("--type <types>", "only these types, with or without a version: MessagePosted,RoomCreated.v1", typeList)
    .option("--since <time>", "only from this instant on, for example 2026-11-23T10:00:00Z", instant)
    .option("--until <time>", "only up to this instant", instant);
}

/** The filter that was asked for. Throws `BadSetting` when no instant can be wanted. */
export function filterOf({ room, account, type, since, until }: FilterOptions): EventFilter {
  if (since !== undefined && until !== undefined && since > until)
    throw new BadSetting("--since is after --until, so there is nothing between them.");
  return {
    ...(room !== undefined && { room }),
    ...(account !== undefined && { account }),
    ...(type !== undefined && { types: type }),
    ...(since !== undefined && { sinceMs: since }),
    ...(until !== undefined && { untilMs: until }),
  };
}

/** An instant on the command line, in milliseconds. */
export function instant(text: string): number {
  const ms = parseInstant(text);
  if (ms === undefined) throw new InvalidArgumentError(`an instant is ${instantForm}.`);
  return ms;
}

/** The number of an event in its room, on the command line. */
export function eventNumber(text: string): number {
  if (!/^[1-9]\d{0,14}$/.test(text))
    throw new InvalidArgumentError("an event's number in its room is a whole number from 1 on.");
  return Number(text);
}

/** An id on the command line. */
export function anId(text: string): string {
  if (!/^[\w-]{1,64}$/.test(text))
    throw new InvalidArgumentError("an id is a UUID: 01968a5e-7c1a-7000-8000-3d2c1b0a9f8e.");
  return text;
}

function typeList(text: string): readonly string[] {
  const types = text.split(",").map((type) => type.trim());
  const problem = types.map(typeProblem).find((each) => each !== undefined);
  if (problem !== undefined) throw new InvalidArgumentError(problem);
  return types;
}
