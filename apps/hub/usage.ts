import type { Command, Option } from "commander";

/**
 * Has a command and those below it say of a wrong word on the command line what is wrong and where the help is, not print the whole help; and
 * refuse an option with a value that is said twice.
 */
export function sayUsageBriefly(command: Command, path = "npm run hub --"): void {
  command.showHelpAfterError(`See: ${path} --help`);
  for (const option of command.options) refuseTwice(command, option);
  for (const each of command.commands) sayUsageBriefly(each, `${path} ${each.name()}`);
}

/** The last one would win, and nobody would see that the first had no meaning. */
function refuseTwice(command: Command, option: Option): void {
  if (option.variadic || !(option.required || option.optional)) return;
  let times = 0;
  command.on(`option:${option.name()}`, () => {
    times++;
    if (times > 1) command.error(`error: option '${option.flags}' is there twice`);
  });
}
