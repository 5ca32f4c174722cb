export { type ClosingPorts, closeAccountFully } from "./closing.ts";
export { accountCommands, emailHashOf } from "./commands.ts";
export { accountModel } from "./events.ts";
export { accountTables } from "./tables.ts";
