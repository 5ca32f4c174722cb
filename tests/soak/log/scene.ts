import { waitFor } from "../../demo/waitFor.ts";
import type { Random } from "../../faults/random.ts";
import type { CommandsProcess, SoakBox } from "./soakBox.ts";
import type { Traffic } from "./traffic.ts";

/** What strikes are made on. */
export interface Scene {
  readonly soak: SoakBox;
  readonly traffic: Traffic;
  readonly random: Random;
}

const leadMs = 20_000;
/** A writer beats each second. */
const freshMs = 2_500;
const aliveMs = 30_000;

/** The process that leads a lane now: the one whose line carries its beats. */
export async function leaderOf({ soak }: Scene, lane: string): Promise<CommandsProcess> {
  let found: CommandsProcess | undefined;
  const newest = () => soak.commands.toSorted((a, b) => beatAt(b, lane) - beatAt(a, lane))[0];
  await waitFor(
    `${lane} has a leader`,
    () => {
      found = newest();
      return found !== undefined && Date.now() - beatAt(found, lane) < freshMs;
    },
    leadMs,
  );
  if (found === undefined) throw new Error(`Nobody leads ${lane}.`);
  return found;
}

/** Resolves when somebody else than `former` leads a lane. */
export async function waitForAnother(scene: Scene, lane: string, former: CommandsProcess): Promise<void> {
  const since = Date.now();
  const isLed = () => scene.soak.commands.some((one) => one !== former && beatAt(one, lane) > since);
  await waitFor(`another leads ${lane}`, isLed, leadMs);
}

const beatAt = ({ line }: CommandsProcess, lane: string): number => line.publishedAt(`beat.${lane}`) ?? 0;

/** Everybody who writes is answered again. */
export async function waitForAnswers({ traffic }: Pick<Scene, "traffic">): Promise<void> {
  const since = traffic.acknowledged.length;
  await waitFor(
    "people are answered again",
    () => traffic.acknowledged.length > since + traffic.people.length,
    aliveMs,
  );
}
