import type { Person } from "./people.ts";
import type { Act, Scene } from "./play.ts";

/** The rooms in which the play is spoken. */
export interface Stage {
  readonly people: ReadonlyMap<string, Person>;
  /** The room of each scene, by its title. */
  readonly rooms: ReadonlyMap<string, string>;
  /** Where everybody murmurs at once. */
  readonly audience: string;
}

/** Of its own lines a speaker edits each 25th and deletes each 40th. */
const editEach = 25;
const deleteEach = 40;
/** How many lines each person repeats in the audience in an act. */
const murmurs = 6;

/** Makes a room for each scene, with its cast, and one for all. */
export async function setStage(acts: readonly Act[], people: readonly Person[]): Promise<Stage> {
  const byName = new Map(people.map((person) => [person.name, person]));
  const [first] = people;
  if (first === undefined) throw new Error("A play needs people.");
  const makeRoom = async (name: string, cast: readonly Person[]) => {
    const [owner = first, ...others] = cast;
    return (await owner.say("createRoom", { name, members: others.map(({ session }) => session.user) })).room;
  };
  const rooms = new Map<string, string>();
  for (const { title, cast } of acts.flatMap(({ scenes }) => scenes)) {
    rooms.set(
      title,
      await makeRoom(
        title,
        cast.flatMap((who) => byName.get(who) ?? []),
      ),
    );
  }
  return { people: byName, rooms, audience: await makeRoom("The audience", people) };
}

/**
 * Speaks an act: its scenes side by side, in each one line after another, each when the one before was acknowledged. In the
 * middle `onMiddle` is called, while everybody murmurs in the audience. `onLine` hears of every acknowledged line.
 */
export async function perform(
  act: Act,
  stage: Stage,
  { onMiddle, onLine }: { readonly onMiddle: () => Promise<void>; readonly onLine: () => void },
): Promise<void> {
  const total = linesOf(act);
  let spoken = 0;
  let middle: Promise<unknown> | undefined;
  const heard = () => {
    spoken += 1;
    onLine();
    if (spoken < total / 2 || middle !== undefined) return;
    middle = Promise.all([murmur(act, stage), onMiddle()]);
    // It is awaited when the scenes are over.
    middle.catch(() => undefined);
  };
  try {
    await Promise.all(act.scenes.map((scene) => speak(scene, stage, heard)));
  } finally {
    await middle;
  }
}

/** How many lines an act has. */
export function linesOf(act: Act): number {
  return act.scenes.reduce((sum, { lines }) => sum + lines.length, 0);
}

async function speak(scene: Scene, stage: Stage, onLine: () => void): Promise<void> {
  const room = stage.rooms.get(scene.title) ?? "";
  for (const [index, { who, text }] of scene.lines.entries()) {
    const person = stage.people.get(who);
    if (person === undefined) throw new Error(`Nobody plays ${who}.`);
    const { s } = await person.say("postMessage", { room, text });
    onLine();
    if (index % editEach === editEach - 1) await person.say("editMessage", { room, message: s, text: `${text} *` });
    if (index % deleteEach === deleteEach - 1) await person.say("deleteMessage", { room, message: s });
  }
}

/** Everybody repeats some lines of the act in one room, all at once and without waiting. */
async function murmur(act: Act, { people, audience: room }: Stage): Promise<void> {
  const lines = act.scenes.flatMap((scene) => scene.lines);
  const saying = [...people.values()].flatMap((person, index) =>
    Array.from({ length: murmurs }, (_, nth) => {
      const text = lines[(index * murmurs + nth) % lines.length]?.text ?? "";
      return person.say("postMessage", { room, text });
    }),
  );
  await Promise.all(saying);
}
