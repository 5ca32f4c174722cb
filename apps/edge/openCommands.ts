import type { EndedWork } from "@connect-hub/domain/kernel";

/** Whose work it is. */
interface Doer {
  readonly user: string;
  readonly session: string;
}

/** The commands that were sent on and are neither answered nor past their deadline. */
export interface OpenCommands {
  track<T>(doer: Doer, work: Promise<T>): Promise<T>;
  /** Resolves when all are over that were under way for `ended` at the call. */
  settled(ended: EndedWork): Promise<void>;
}

export function openCommands(): OpenCommands {
  const open = new Set<{ readonly doer: Doer; readonly work: Promise<unknown> }>();
  return {
    track(doer, work) {
      const one = { doer, work };
      open.add(one);
      return work.finally(() => open.delete(one));
    },
    async settled(ended) {
      const isMeant = ({ user, session }: Doer) => ("user" in ended ? user === ended.user : session === ended.session);
      await Promise.allSettled([...open].filter(({ doer }) => isMeant(doer)).map(({ work }) => work));
    },
  };
}
