import { accountModel } from "../account/events.ts";
import { contentModel } from "../content/events.ts";
import type { ContextModel } from "../kernel/event.ts";
import { roomModel } from "../room/events.ts";
import type { Context } from "../values/ids.ts";

/** What the log holds, by context. */
export const models: { readonly [context in Context]: ContextModel } = {
  accounts: accountModel,
  rooms: roomModel,
  content: contentModel,
};
