import type { Session } from "@connect-hub/sdk";
import { askPage } from "../../support/historyReader.ts";
import type { Traffic } from "./traffic.ts";

/** Two who ask all the time, whatever is broken: a member, and somebody who must never get in. */
export interface Probes {
  /** Answers that must not be, in words. */
  readonly faults: string[];
  /** How often an answer came, and how often an error. */
  readonly asked: { answered: number; refused: number };
  close(): Promise<void>;
}

const everyMs = 200;

/** Starts them. `outsider` is in none of the rooms. */
export function startProbes(address: string, traffic: Traffic, outsider: Session): Probes {
  const faults: string[] = [];
  const asked = { answered: 0, refused: 0 };
  let isOver = false;

  /** What a person was just told must be in what the same person reads with the position of that answer, or it is an error. */
  async function askForOwn(): Promise<void> {
    const { last } = traffic;
    const person = traffic.people.find(({ session }) => session.user === last?.by);
    if (last === undefined || person === undefined) return;
    const { position } = person.client;
    const page = await askPage(last.room, last.s - 1, { address, token: person.session.token, position });
    if (typeof page === "string") {
      asked.refused += 1;
      return;
    }
    asked.answered += 1;
    if (page.events[0]?.s !== last.s) {
      faults.push(
        `${person.name} asked for ${last.room} from ${last.s} on, which was acknowledged, and got ${page.events[0]?.s}`,
      );
    }
  }

  /** Whatever is away: an error, never a page. */
  async function askAsOutsider(): Promise<void> {
    const room = traffic.last?.room;
    if (room === undefined) return;
    const page = await askPage(room, 0, { address, token: outsider.token, position: undefined });
    if (typeof page !== "string") faults.push(`somebody who is not in ${room} got ${page.events.length} of its events`);
  }

  const asking = (async () => {
    while (!isOver) {
      await Promise.all([askForOwn(), askAsOutsider()]);
      await new Promise((resolve) => setTimeout(resolve, everyMs));
    }
  })();
  return {
    faults,
    asked,
    async close() {
      isOver = true;
      await asking;
    },
  };
}
