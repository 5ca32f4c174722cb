import type { Random } from "./random.ts";

/** The strikes of each round: so many, none of which comes again before all others came. */
export function deal(
  possible: readonly string[],
  { rounds, most, random }: { readonly rounds: number; readonly most: number; readonly random: Random },
): readonly (readonly string[])[] {
  const perRound = Math.min(most, possible.length);
  let deck: readonly string[] = [];
  return Array.from({ length: rounds }, () => {
    if (deck.length < perRound) {
      const rest = new Set(deck);
      deck = [...deck, ...random.shuffled(possible.filter((name) => !rest.has(name))), ...rest];
    }
    const round = deck.slice(0, perRound);
    deck = deck.slice(perRound);
    return [...new Set(round)];
  });
}
