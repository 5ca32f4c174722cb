export { dialogIdOf, roomCommands } from "./commands.ts";
export { roomModel } from "./events.ts";
export { roomTables } from "./tables.ts";
