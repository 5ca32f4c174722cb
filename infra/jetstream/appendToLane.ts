import { type AppendOutcome, type Lane, pause } from "@connect-hub/domain/kernel";
import { JetStreamApiCodes, type JetStreamManager } from "@nats-io/jetstream";
import { errors, headers, type Msg } from "@nats-io/nats-core";
import type { NatsLink } from "./connectNats.ts";

const ackTimeoutMs = 2_000;
/** An unclear answer never comes sooner, so that whoever sends again at once does not spin. */
const unclearPauseMs = 50;
/** What the server may add to a message, in its headers and on its disk, generously. */
const overheadBytes = 1_024;
/** "The store failed", which is how a full log is refused too. Source: nats-server's errors.json. */
const storeFailedCode = 10077;
/** "Invalid operation on sealed stream". Source: nats-server's errors.json. */
const streamSealedCode = 10109;

interface AppendTarget {
  readonly subject: string;
  readonly stream: string;
  readonly manager: JetStreamManager;
  /** Whether the lane is in another epoch by now. */
  isOver(): Promise<boolean>;
}

/**
 * The append of one lane. A raw request: the client's own publish builds Error objects for each call (measured: 0.2 CPU
 * seconds in 1,000 commands). No message id, ever: a commit that was grouped anew would count as its own duplicate.
 */
export function laneAppender(link: NatsLink, target: AppendTarget): Lane["append"] {
  return async (bytes, expectedLast, waitMs = ackTimeoutMs) => {
    const maxPayload = link.nc.info?.max_payload;
    if (maxPayload !== undefined && bytes.length + overheadBytes > maxPayload) return { refused: "tooLarge" };
    if (!(await link.whenConnected(Math.min(waitMs, ackTimeoutMs)))) return { refused: "away" };
    const answer = await requestAck(link, target.subject, bytes, expectedLast);
    const outcome = typeof answer === "string" ? answer : outcomeOf(answer, target.stream, expectedLast);
    // Its stream is gone or was sealed: that is how an epoch ends.
    if (outcome === "noStream" && (await target.isOver())) return "epochOver";
    if (outcome === "storeFailed") return (await isFull(target, bytes.length)) ? { refused: "full" } : "unclear";
    if (outcome !== "unclear" && outcome !== "noStream") return outcome;
    await pause(unclearPauseMs);
    return "unclear";
  };
}

/** The server's answer; `noStream` when nobody has the subject, `unclear` when none came or the connection went away first. */
async function requestAck(
  link: NatsLink,
  subject: string,
  bytes: Uint8Array,
  expectedLast: number,
): Promise<Msg | "unclear" | "noStream"> {
  const expectation = headers();
  expectation.set("Nats-Expected-Last-Sequence", String(expectedLast));
  let stop: () => void = () => undefined;
  const lost = new Promise<"unclear">((resolve) => {
    stop = link.onEvent((event) => {
      if (event.type === "disconnected" || event.type === "closed") resolve("unclear");
    });
  });
  try {
    const ack = link.nc.request(subject, bytes, { headers: expectation, timeout: ackTimeoutMs });
    return await Promise.race([ack, lost]);
  } catch (error) {
    return error instanceof errors.RequestError && error.isNoResponders() ? "noStream" : "unclear";
  } finally {
    stop();
  }
}

function outcomeOf(answer: Msg, stream: string, expectedLast: number): AppendOutcome | "storeFailed" | "noStream" {
  const ack = parseAck(answer);
  if (ack?.stream === stream && ack.seq === expectedLast + 1) return "stored";
  switch (ack?.error?.err_code) {
    case JetStreamApiCodes.StreamWrongLastSequence:
    case JetStreamApiCodes.StreamWrongLastSequenceUnknown:
      return "wrongLast";
    case storeFailedCode:
      return "storeFailed";
    case streamSealedCode:
      return "noStream";
    default:
      return "unclear";
  }
}

interface Ack {
  readonly stream?: string;
  readonly seq?: number;
  readonly error?: { readonly err_code?: number };
}

function parseAck(answer: Msg): Ack | undefined {
  try {
    return answer.json<Ack | null>() ?? undefined;
  } catch {
    return undefined;
  }
}

/** Whether `size` more bytes are more than the log's reserve. */
async function isFull({ manager, stream }: AppendTarget, size: number): Promise<boolean> {
  try {
    const { config, state } = await manager.streams.info(stream);
    return state.bytes + size + overheadBytes > config.max_bytes;
  } catch {
    return false;
  }
}
