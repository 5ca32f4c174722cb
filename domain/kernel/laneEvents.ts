import * as z from "zod";
import { epochBeganType, epochClosedType } from "./epochBegan.ts";
import type { EventDefinition } from "./event.ts";

// A stored format: a changed shape needs a new version in the type.

const Epoch = z.string().describe("32 hex digits");

const epochBegan: EventDefinition = {
  type: epochBeganType,
  about: "The lane goes on in another epoch, after a restore or an archive.",
  subject: "lane",
  data: z.strictObject({
    epoch: Epoch,
    prevEpoch: Epoch,
    at: z.int().describe("The number of the last commit before; 0 for none."),
  }),
  sealed: {},
  changes: () => [],
};

const epochClosed: EventDefinition = {
  type: epochClosedType,
  about: "The last event of an epoch: the lane goes on in the next one.",
  subject: "lane",
  data: z.strictObject({ epoch: Epoch, next: Epoch }),
  sealed: {},
  changes: () => [],
};

/** The events of lanes themselves: they are of every context and change no row. */
export const laneEvents: { readonly [type: string]: EventDefinition } = {
  [epochBegan.type]: epochBegan,
  [epochClosed.type]: epochClosed,
};
