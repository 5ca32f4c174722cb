import { LogUnavailable, pause } from "@connect-hub/domain/kernel";

/** How long an edge may serve after it last made sure of the sessions that hold; docs/adr/0019. */
export const leaseMs = 5_000;

/** Whether this edge may serve in this very moment: without a lease nobody here knows whose session has ended. */
export interface Lease {
  holds(): boolean;
}

/** A lease that somebody keeps. */
export interface KeptLease extends Lease {
  renew(): Promise<void>;
}

/** The two clocks by which a lease is counted. */
export interface LeaseClocks {
  /** Never goes back; stands still while the machine is suspended. */
  readonly steady: () => number;
  /** Goes on then, and may be set. */
  readonly wall: () => number;
}

const processClocks: LeaseClocks = { steady: () => performance.now(), wall: Date.now };

/**
 * A lease that counts from before `prove` was begun, which resolves once the edge is listed and has applied the log as of then. `onLapse`
 * is told once each time that it was found to have run out, `onBack` when it holds again.
 */
export function leaseBy(
  prove: () => Promise<void>,
  { onLapse, onBack }: { onLapse(): void; onBack(): void },
  clocks: LeaseClocks = processClocks,
): KeptLease {
  let since: { readonly steady: number; readonly wall: number } | undefined;

  function holds(): boolean {
    if (since === undefined) return false;
    if (clocks.steady() - since.steady < leaseMs && clocks.wall() - since.wall < leaseMs) return true;
    // For good, until it is renewed: a clock that is set back must not bring it to life again.
    since = undefined;
    onLapse();
    return false;
  }

  return {
    holds,
    async renew() {
      const before = { steady: clocks.steady(), wall: clocks.wall() };
      await prove();
      const held = holds();
      since = before;
      if (holds() && !held) onBack();
    },
  };
}

/** Throws `LogUnavailable` unless the lease holds. */
export function assertLease(lease: Lease): void {
  if (!lease.holds()) throw new LogUnavailable("this edge has no lease at present");
}

const renewEveryMs = 1_000;
const retryMs = 250;
const firstMs = 10_000;

/** Gets the lease, and renews it until it is closed. Throws what the last attempt did when there is none after 10 s. */
export async function keepLease(lease: KeptLease): Promise<{ close(): Promise<void> }> {
  const stop = new AbortController();
  const renewed = () =>
    lease.renew().then(
      () => true,
      () => false,
    );
  const endsAt = performance.now() + firstMs;
  while (!lease.holds()) {
    try {
      await lease.renew();
    } catch (error) {
      if (performance.now() > endsAt) throw error;
      await pause(retryMs);
    }
  }
  const running = (async () => {
    while (!stop.signal.aborted) {
      await pause((await renewed()) ? renewEveryMs : retryMs, stop.signal);
    }
  })();
  return {
    async close() {
      stop.abort();
      await running;
    },
  };
}
