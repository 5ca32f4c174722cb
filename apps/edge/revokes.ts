import { randomBytes } from "node:crypto";
import {
  decodeEdgeConfirm,
  decodeEdgeRevoke,
  type EdgeConfirm,
  type EdgeRevoke,
  type EndedWork,
  encodeEdgeConfirm,
  encodeEdgeRevoke,
  pause,
  subjects,
} from "@connect-hub/domain/kernel";
import { type EdgeRegistry, type NatsLink, natsLiveBus, subscribeLive } from "@connect-hub/jetstream";
import { leaseMs } from "./lease.ts";

/** What is to be over everywhere before the end of a session is answered. */
export interface Revokes {
  /**
   * Resolves when no edge can serve any more what the commit at `position` has ended: each one that is listed has said so, or its
   * lease has run out. Takes 5.6 s at most. Never rejects.
   */
  everywhere(position: string, ended: EndedWork): Promise<void>;
  close(): void;
}

export interface RevokesOptions {
  readonly link: NatsLink;
  readonly prefix: string;
  /** This edge. */
  readonly self: string;
  readonly registry: Pick<EdgeRegistry, "list">;
  /** Resolves when this edge does nothing more for what has ended; rejects when it can't tell. */
  over(position: string, ended: EndedWork): Promise<void>;
  /** Hears of the edges that had not said so when their leases had run out. */
  onSilent(edges: readonly string[]): void;
}

/** A lease, what clocks may differ by in that time, and the grace of a command's deadline. */
export const revokeMs = leaseMs + 600;
/** Either message may be lost. */
const askAgainMs = 250;

export function edgeRevokes(options: RevokesOptions): Revokes {
  const { link, self, registry, over, onSilent } = options;
  const names = subjects(options.prefix);
  const bus = natsLiveBus(link);
  /** What is waited for here: by the id of the question. */
  const asking = new Map<string, { readonly confirmed: Set<string>; onConfirm: () => void }>();
  const answering = new Set<string>();

  async function answer({ id, by, position, ended }: EdgeRevoke): Promise<void> {
    if (by === self || answering.has(id)) return;
    answering.add(id);
    try {
      await over(position, ended);
      bus.publish(names.edgeConfirms(by), encodeEdgeConfirm({ id, edge: self }));
    } catch {
      // It is asked again.
    } finally {
      answering.delete(id);
    }
  }

  function hear({ id, edge }: EdgeConfirm): void {
    const waiting = asking.get(id);
    waiting?.confirmed.add(edge);
    waiting?.onConfirm();
  }

  const listening = [
    subscribeLive(link, names.edgeRevokes, ({ body }) => {
      const revoke = decodeEdgeRevoke(body);
      if (revoke !== undefined) void answer(revoke);
    }),
    subscribeLive(link, names.edgeConfirms(self), ({ body }) => {
      const confirm = decodeEdgeConfirm(body);
      if (confirm !== undefined) hear(confirm);
    }),
  ];

  /** Asks until all edges that are listed have said so; `late` resolves when that takes too long. */
  async function others(revoke: EdgeRevoke, late: AbortSignal, isLate: Promise<void>): Promise<void> {
    const waiting = { confirmed: new Set([self]), onConfirm: () => {} };
    const { confirmed } = waiting;
    asking.set(revoke.id, waiting);
    let listed: readonly string[] | undefined;
    const allSaid = () => listed?.every((edge) => confirmed.has(edge)) ?? false;
    while (!late.aborted) {
      bus.publish(names.edgeRevokes, encodeEdgeRevoke(revoke));
      const known = await Promise.race([registry.list().catch(() => undefined), isLate]);
      listed = known ?? listed;
      if (allSaid()) return;
      await new Promise<void>((resolve) => {
        waiting.onConfirm = () => allSaid() && resolve();
        void pause(askAgainMs, late).then(resolve);
      });
      if (allSaid()) return;
    }
    onSilent(listed?.filter((edge) => !confirmed.has(edge)) ?? ["those that could not be listed"]);
  }

  return {
    async everywhere(position, ended) {
      const revoke = { id: randomBytes(6).toString("hex"), by: self, position, ended };
      const late = new AbortController();
      // By this clock and from after the commit: whoever has a lease at the end of it has applied the commit to get it.
      const isLate = pause(revokeMs, late.signal);
      void isLate.then(() => late.abort());
      try {
        const here = Promise.race([over(position, ended).catch(() => isLate), isLate]);
        await Promise.all([here, others(revoke, late.signal, isLate)]);
      } finally {
        late.abort();
        asking.delete(revoke.id);
      }
    },
    close() {
      for (const one of listening) one.unsubscribe();
    },
  };
}
