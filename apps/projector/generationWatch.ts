import { type ContextModel, FactsUnavailable, factsVersionOf, pause } from "@connect-hub/domain/kernel";
import type { Generation, Generations, Projector } from "@connect-hub/projections";
import type { Logger } from "pino";

export interface WatchOptions {
  readonly model: ContextModel;
  readonly generations: Generations;
  /** Starts a projector for each lane of the context into this generation; `mayPark` tells whether it may leave anything out. */
  start(generation: number, mayPark: () => boolean): readonly Projector[];
  readonly log: Logger;
}

/** Generations of one context that are being projected. */
export interface GenerationWatch {
  readonly projectors: ReadonlyMap<number, readonly Projector[]>;
  close(): Promise<void>;
}

const lookEveryMs = 1_000;

/**
 * Projects every generation of this version of the code: those there are when it resolves, others as they come, none that was given
 * up. Those of another version it leaves alone. Throws `FactsUnavailable` when the first look fails.
 */
export async function watchGenerations({ model, generations, start, log }: WatchOptions): Promise<GenerationWatch> {
  const factsVersion = factsVersionOf(model);
  const projectors = new Map<number, readonly Projector[]>();
  const strange = new Set<number>();
  const stop = new AbortController();
  let building: number | undefined;

  async function look(): Promise<void> {
    const found = await generations.list();
    // What is being built is compared and swapped only when it is whole.
    building = found.find(({ state }) => state === "building")?.number;
    for (const one of found) {
      if (one.factsVersion !== factsVersion) tell(one);
      else if (!projectors.has(one.number)) {
        log.info({ context: model.context, generation: one.number, state: one.state }, "projecting");
        projectors.set(
          one.number,
          start(one.number, () => one.number !== building),
        );
      }
    }
    for (const [number, running] of projectors) {
      if (found.some((one) => one.number === number)) continue;
      log.info({ context: model.context, generation: number }, "given up");
      projectors.delete(number);
      await Promise.all(running.map((projector) => projector.close()));
    }
  }

  function tell({ number, state, factsVersion: theirs }: Generation): void {
    if (strange.has(number)) return;
    strange.add(number);
    const what = { context: model.context, generation: number, state, theirs, ours: factsVersion };
    log.warn(
      what,
      "these tables are of another version of the code: left alone; make new ones by: npm run hub -- projections rebuild",
    );
  }

  async function watch(): Promise<void> {
    while (!stop.signal.aborted) {
      await pause(lookEveryMs, stop.signal);
      if (!stop.signal.aborted) await look().catch(passOver);
    }
  }

  function passOver(error: unknown): void {
    // What is away its projectors say, and try again.
    if (!(error instanceof FactsUnavailable))
      log.error({ err: error, context: model.context }, "can't see which tables there are");
  }

  await look();
  const watching = watch();
  return {
    projectors,
    async close() {
      stop.abort();
      await watching;
      await Promise.all([...projectors.values()].flat().map((projector) => projector.close()));
    },
  };
}
