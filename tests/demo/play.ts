import { readFileSync } from "node:fs";

/** One line of a speech: one message. */
export interface Line {
  readonly who: string;
  readonly text: string;
}

/** A scene is a room, and whoever speaks in it is a member. */
export interface Scene {
  /** For example `I.2 Lawn before the Duke's palace.` */
  readonly title: string;
  /** In the order of their first lines. */
  readonly cast: readonly string[];
  readonly lines: readonly Line[];
}

export interface Act {
  /** `I` … `V` */
  readonly name: string;
  readonly scenes: readonly Scene[];
}

/** The whole play, from `play.txt` beside this file. */
export function readPlay(): readonly Act[] {
  return parsePlay(readFileSync(new URL("play.txt", import.meta.url), "utf8"));
}

/** `# act.scene place` opens a scene, a name and a tab open a speech, a tab goes on with it; what is before is a preface. */
export function parsePlay(text: string): readonly Act[] {
  const [, ...scenes] = text.split(/^# /m);
  const acts = new Map<string, Scene[]>();
  for (const scene of scenes.map(parseScene)) {
    const act = scene.title.slice(0, scene.title.indexOf("."));
    acts.set(act, [...(acts.get(act) ?? []), scene]);
  }
  return [...acts].map(([name, its]) => ({ name, scenes: its }));
}

/** Everybody who has a line, in the order of their first ones. */
export function castOf(acts: readonly Act[]): readonly string[] {
  return [...new Set(acts.flatMap((act) => act.scenes.flatMap(({ cast }) => cast)))];
}

function parseScene(text: string): Scene {
  const [title = "", ...rest] = text.split("\n");
  const lines: Line[] = [];
  let who = "";
  for (const row of rest.filter((one) => one !== "")) {
    const tab = row.indexOf("\t");
    if (tab > 0) who = row.slice(0, tab);
    if (tab < 0 || who === "") throw new Error(`The play has a line that nobody speaks: ${row}`);
    lines.push({ who, text: row.slice(tab + 1) });
  }
  return { title, cast: [...new Set(lines.map((line) => line.who))], lines };
}
