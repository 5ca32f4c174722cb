export { dialogIdOf, roomCommands } from "./commands.ts";
export { publicEventOf, roomModel } from "./events.ts";
export * from "./tables.ts";
