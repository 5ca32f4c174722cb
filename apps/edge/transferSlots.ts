import { limits } from "@connect-hub/domain/values";
import type { HttpResponse } from "@connect-hub/uws";
import { Refused } from "./refusals.ts";

/** Each upload takes some memory, so that not everybody may begin any number at once. */
export const uploadsOfOne = 8;
const uploadsOfAll = 64;
/** Each download takes less, but of a file that a node has some MiB there. */
const downloadsOfOne = 32;
const downloadsOfAll = 256;

/** How many transfers, or requests, run here, and whose. */
export interface TransferSlots {
  /** One more of `whose`; returns what ends it. Throws `Refused` (`Busy`, of requests `TooManyInFlight`). */
  take(whose: string): () => void;
}

export const uploadSlots = (): TransferSlots => transferSlots(uploadsOfOne, uploadsOfAll);
export const downloadSlots = (): TransferSlots => transferSlots(downloadsOfOne, downloadsOfAll);
/** Of commands and queries of one session over HTTP, as of one socket. */
export const requestSlots = (): TransferSlots =>
  transferSlots(limits.inFlight, Number.POSITIVE_INFINITY, "TooManyInFlight");

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

function transferSlots(ofOne: number, ofAll: number, refusal: "Busy" | "TooManyInFlight" = "Busy"): TransferSlots {
  const running = new Map<string, number>();
  let all = 0;
  return {
    take(whose) {
      const before = running.get(whose) ?? 0;
      if (before >= ofOne || all >= ofAll) throw new Refused(refusal);
      running.set(whose, before + 1);
      all++;
      let isHeld = true;
      return () => {
        if (!isHeld) return;
        isHeld = false;
        all--;
        const left = (running.get(whose) ?? 1) - 1;
        if (left === 0) running.delete(whose);
        else running.set(whose, left);
      };
    },
  };
}
