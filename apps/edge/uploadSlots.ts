import { Refused } from "./refusals.ts";

/** Each upload takes some memory, so that not everybody may begin any number at once. */
export const uploadsOfOne = 8;
const uploadsOfAll = 64;

/** How many uploads run here, and whose. */
export interface UploadSlots {
  /** One more of `user`; returns what ends it. Throws `Refused` (`Busy`). */
  take(user: string): () => void;
}

export function uploadSlots(): UploadSlots {
  const running = new Map<string, number>();
  let all = 0;
  return {
    take(user) {
      const before = running.get(user) ?? 0;
      if (before >= uploadsOfOne || all >= uploadsOfAll) throw new Refused("Busy");
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
