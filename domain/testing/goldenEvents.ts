import { readdirSync, readFileSync } from "node:fs";
import { encodeEvent } from "../kernel/commit.ts";
import type { ContextModel, DomainEvent } from "../kernel/event.ts";
import type { VaultKey } from "../kernel/ports.ts";
import { sealEvent } from "../kernel/sealing.ts";

// One golden sample of every stored version of every event: a file each in `golden/`. They never change.

/** An event in the version of its day. */
export interface EventSample {
  /** With its sealed fields open. */
  readonly opened: DomainEvent;
  /** As the log holds it; missing in a sample that was just written by hand. */
  readonly stored?: string;
}

/** Where the samples lie. */
export const goldenEventsFolder = new URL("./golden/", import.meta.url);

/** The key that all samples are sealed with. */
export const sampleKey: VaultKey = {
  id: "00000000-0000-4000-8000-000000000001",
  bytes: new Uint8Array(32).fill(1),
};

/** All samples by type. */
export function goldenEvents(): Map<string, EventSample> {
  const files = readdirSync(goldenEventsFolder).sort();
  return new Map(
    files.map((file) => {
      const sample = JSON.parse(readFileSync(new URL(file, goldenEventsFolder), "utf8")) as EventSample;
      return [file.replace(/[.]json$/, ""), sample];
    }),
  );
}

/** The stored bytes of a sample: the salt is all 0, each nonce all 2. */
export function storedSample(opened: DomainEvent, model: ContextModel): string {
  const draw = (bytes: number) => new Uint8Array(bytes).fill(bytes === nonceBytes ? 2 : 0);
  return encodeEvent(sealEvent(opened, model, () => sampleKey, draw));
}

const nonceBytes = 12;
