import { expect, test } from "vitest";
import { castOf, parsePlay, readPlay } from "./play.ts";

test("a play is acts of scenes of lines", () => {
  const text = "PREFACE\n\n# I.1 A room.\nA\tone\n\ttwo\nB\tthree\n# I.2 A wood.\nB\tfour\n# II.1 A room.\nC\tfive\n";
  expect(parsePlay(text)).toEqual([
    {
      name: "I",
      scenes: [
        {
          title: "I.1 A room.",
          cast: ["A", "B"],
          lines: [
            { who: "A", text: "one" },
            { who: "A", text: "two" },
            { who: "B", text: "three" },
          ],
        },
        { title: "I.2 A wood.", cast: ["B"], lines: [{ who: "B", text: "four" }] },
      ],
    },
    { name: "II", scenes: [{ title: "II.1 A room.", cast: ["C"], lines: [{ who: "C", text: "five" }] }] },
  ]);
});

test("a line that nobody speaks is an error", () => {
  expect(() => parsePlay("# I.1 A room.\n\tone\n")).toThrow("nobody speaks: \tone");
});

test("the play is whole", () => {
  const acts = readPlay();
  expect(acts.map(({ name, scenes }) => `${name} ${scenes.length}`)).toEqual(["I 3", "II 7", "III 5", "IV 3", "V 5"]);
  expect(castOf(acts).length).toBe(27);
  const lines = acts.flatMap(({ scenes }) => scenes.flatMap((scene) => scene.lines));
  expect(lines.length).toBe(2_667);
  expect(lines.find(({ text }) => text.startsWith("All the world's a stage"))?.who).toBe("JAQUES");
});
