import type { Lane } from "@connect-hub/domain/kernel";
import { contexts, type LaneId } from "@connect-hub/domain/values";
import { BadSetting } from "@connect-hub/runtime/settings";

/** A commit that somebody named. */
export interface CommitPlace {
  readonly lane: LaneId;
  readonly n: number;
}

/** `rooms.0:42` as a commit, from number `least` on; more numbers may follow, as many as `more` says. Throws `BadSetting`. */
export function parsePlace(text: string, more = 0, least = 1): CommitPlace & { readonly rest: readonly number[] } {
  const [lane = "", n = "", ...rest] = text.split(":");
  const numbers = [n, ...rest];
  const isPlace = /^[a-z]+\.\d{1,4}$/.test(lane) && contexts.some((context) => lane.startsWith(`${context}.`));
  if (
    !isPlace ||
    numbers.length !== 1 + more ||
    !numbers.every((each) => /^\d{1,15}$/.test(each)) ||
    Number(n) < least
  ) {
    const example = ["rooms.0:42", "rooms.0:42:0", "rooms.0:42:0:0"][more];
    throw new BadSetting(
      `"${text}" names no place in the log. Write it like ${example}; events tail shows such places.`,
    );
  }
  return { lane: lane as LaneId, n: Number(n), rest: rest.map(Number) };
}

/** The lane of a place, which must have that commit. Throws `BadSetting`. */
export async function laneWith({ lane: id, n }: CommitPlace, lanes: readonly Lane[]): Promise<Lane> {
  const lane = lanes.find((each) => each.id === id);
  if (lane === undefined)
    throw new BadSetting(`There is no lane "${id}", only ${lanes.map((each) => each.id).join(", ")}.`);
  const last = await lane.lastNumber();
  if (n > last)
    throw new BadSetting(`${id} has no commit ${n}: ${last === 0 ? "it is empty" : `its last one is ${last}`}.`);
  return lane;
}
