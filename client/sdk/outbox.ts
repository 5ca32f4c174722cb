import type { Json } from "@connect-hub/domain/values";
import type { WireError } from "@connect-hub/protocol";
import { type HubError, hubError } from "./hubError.ts";

/** What an accepted request came to. */
export interface Answer {
  readonly ok: Json;
  /** A position token that covers it. */
  readonly position: string;
}

/** Requests that are not answered yet, in the order in which they were made. */
export interface Outbox {
  /**
   * Keeps `frame` (without `i` and `a`) until it is answered, sending it as often as it takes, each time as the same request
   * after the newest position.
   */
  add(frame: object): Promise<Answer>;
  /** A new line: everything unanswered goes out again, in order. */
  online(inFlightLimit: number): void;
  offline(): void;
  /** The server's answer to request `i`. */
  answer(i: number, answer: { ok: Json; p: string } | { err: WireError }): void;
  /** Refuses everything unanswered and what comes later. */
  close(error: HubError): void;
}

/** The position token that requests are sent with. */
export interface PositionHeld {
  get(): string | undefined;
  /** The server does not know that position: whoever holds it forgets it. */
  forget(refused: string): void;
}

interface Request {
  readonly frame: object;
  /** The position that it was last sent with. */
  after?: string | undefined;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: HubError) => void;
  sent: boolean;
  /** Set while it waits to be sent again. */
  timer?: ReturnType<typeof setTimeout>;
}

const noPosition: PositionHeld = { get: () => undefined, forget: () => undefined };

/** An outbox that sends by `send` (whether it could). `random` is for jitter: 0 ≤ x < 1. */
export function outbox(
  send: (text: string) => boolean,
  random: () => number,
  position: PositionHeld = noPosition,
): Outbox {
  const requests = new Map<number, Request>();
  let lastNumber = 0;
  let inFlight = 0;
  let limit = 0;
  let closed: HubError | undefined;

  function pump(): void {
    for (const [i, request] of requests) {
      if (inFlight >= limit) return;
      if (request.sent || request.timer !== undefined) continue;
      request.after = position.get();
      const { frame, after } = request;
      if (!send(JSON.stringify({ i, ...frame, ...(after !== undefined && { a: after }) }))) return;
      request.sent = true;
      inFlight++;
    }
  }

  function tryAgain(request: Request, err: WireError): void {
    const waitMs = (err.afterMs ?? 100) * (1 + random());
    request.sent = false;
    request.timer = setTimeout(() => {
      delete request.timer;
      pump();
    }, waitMs);
  }

  function offline(): void {
    limit = 0;
    inFlight = 0;
    for (const request of requests.values()) request.sent = false;
  }

  return {
    add(frame) {
      if (closed !== undefined) return Promise.reject(closed);
      const i = ++lastNumber;
      return new Promise((resolve, reject) => {
        requests.set(i, { frame, resolve, reject, sent: false });
        pump();
      });
    },
    online(inFlightLimit) {
      offline();
      limit = inFlightLimit;
      pump();
    },
    offline,
    answer(i, answer) {
      const request = requests.get(i);
      if (request === undefined || !request.sent) return;
      inFlight--;
      if ("err" in answer && answer.err.retry) tryAgain(request, answer.err);
      else if ("err" in answer && answer.err.name === "BadPosition" && request.after !== undefined) {
        // Of an epoch that is over: what it stood for may be gone, and what is there now is the truth.
        position.forget(request.after);
        request.sent = false;
      } else {
        requests.delete(i);
        if ("err" in answer) request.reject(hubError(answer.err));
        else request.resolve({ ok: answer.ok, position: answer.p });
      }
      pump();
    },
    close(error) {
      closed = error;
      for (const request of requests.values()) {
        clearTimeout(request.timer);
        request.reject(error);
      }
      requests.clear();
    },
  };
}
