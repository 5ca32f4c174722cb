import type { HttpResponse } from "@connect-hub/uws";
import { Refused } from "./refusals.ts";

/** Each upload takes some memory, so that not everybody may begin any number at once. */
export const uploadsOfOne = 8;
const uploadsOfAll = 64;
/** Each download takes less, but of a file that a node has some MiB there. */
const downloadsOfOne = 32;
const downloadsOfAll = 256;

/** How many transfers run here, and whose. */
export interface TransferSlots {
  /** One more of `user`; returns what ends it. Throws `Refused` (`Busy`). */
  take(user: string): () => void;
}

export const uploadSlots = (): TransferSlots => transferSlots(uploadsOfOne, uploadsOfAll);
export const downloadSlots = (): TransferSlots => transferSlots(downloadsOfOne, downloadsOfAll);

/** The response with what is called once it was sent, or will not be. */
export function whenSent(response: HttpResponse, done: () => void): HttpResponse {
  const { body } = response;
  if (typeof body !== "object" || body instanceof Uint8Array) {
    done();
    return response;
  }
  return {
    ...response,
    body: {
      length: body.length,
      async *stream(gone) {
        try {
          yield* body.stream(gone);
        } finally {
          done();
        }
      },
      unused() {
        body.unused?.();
        done();
      },
    },
  };
}

function transferSlots(ofOne: number, ofAll: number): TransferSlots {
  const running = new Map<string, number>();
  let all = 0;
  return {
    take(user) {
      const before = running.get(user) ?? 0;
      if (before >= ofOne || all >= ofAll) throw new Refused("Busy");
      running.set(user, before + 1);
      all++;
      let isHeld = true;
      return () => {
        if (!isHeld) return;
        isHeld = false;
        all--;
        const left = (running.get(user) ?? 1) - 1;
        if (left === 0) running.delete(user);
        else running.set(user, left);
      };
    },
  };
}
