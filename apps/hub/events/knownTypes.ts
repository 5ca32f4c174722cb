import { accountModel } from "@connect-hub/domain/account";
import { contentModel } from "@connect-hub/domain/content";
import { type CatalogedEvent, eventCatalog } from "@connect-hub/domain/kernel";
import { roomModel } from "@connect-hub/domain/room";

/** Every version of every event that this code reads. */
export function knownEvents(): readonly CatalogedEvent[] {
  return eventCatalog([accountModel, roomModel, contentModel]);
}

/** What is wrong with a type, with or without its version; undefined for one that there is. */
export function typeProblem(type: string): string | undefined {
  const types = knownEvents().map((event) => event.type);
  const names = [...new Set(types.map(nameOf))];
  if (types.includes(type) || names.includes(type)) return undefined;
  const near = [
    types.filter((each) => nameOf(each) === nameOf(type)),
    names.filter((name) => name.toLowerCase() === type.toLowerCase()),
    names.filter((name) => isNear(name, type)),
  ].find((some) => some.length > 0);
  const some = near === undefined ? `there is only ${names.join(", ")}` : `there is ${near.join(", ")}`;
  return `no events have the type "${type}"; ${some}. All of them: npm run hub -- events types`;
}

const nameOf = (type: string): string => type.replace(/\.v\d+$/, "");

/** Whether they have a word in common: `RoomRen` and `RoomRenamed`, `posted` and `MessagePosted`. */
function isNear(name: string, type: string): boolean {
  return (name.match(/[A-Z][a-z]+/g) ?? []).some((word) => type.toLowerCase().includes(word.toLowerCase()));
}
