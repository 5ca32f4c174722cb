import type { CommandAnswers, FileAnswer, MessageFile } from "@connect-hub/protocol";
import type { ChatEvent } from "./chatEvent.ts";
import { HubError } from "./hubError.ts";
import type { Message, Post, SentMessage, UnsentMessage } from "./roomView.ts";

type Posted = CommandAnswers["postMessage"];

/** Messages of this client that are shown before the server has them. */
export interface Echoes {
  /** Shows a message and posts it. `after`: the last event of the room that is known here. */
  add(post: Post, key: string, after: number): Promise<Posted>;
  /** The messages of `events` with the echoes among them; `head`: the last event known here. */
  over(messages: readonly SentMessage[], events: readonly ChatEvent[], head: number): readonly Message[];
}

interface Echo {
  readonly key: string;
  readonly post: Post;
  readonly after: number;
  readonly at: string;
  readonly text: string;
  readonly files: readonly MessageFile[];
  state: "pending" | "failed" | "answered";
  error?: HubError;
  /** The number of the message, once the answer said it. */
  s?: number;
}

/** What the echoes need. */
export interface EchoSource {
  user(): string;
  send(post: Post, key: string): Promise<Posted>;
  /** The echoes look differently now. */
  changed(): void;
}

/** No echoes yet. */
export function echoes(source: EchoSource): Echoes {
  const unsent = new Map<string, Echo>();
  /** The keys of messages that this client posted, by their number. */
  const keys = new Map<number, string>();

  async function send(echo: Echo): Promise<Posted> {
    try {
      const answer = await source.send(echo.post, echo.key);
      echo.state = "answered";
      echo.s = answer.s;
      keys.set(answer.s, echo.key);
      return answer;
    } catch (error) {
      echo.state = "failed";
      echo.error = error instanceof HubError ? error : new HubError("NotAnAnswer", { cause: error });
      throw error;
    } finally {
      source.changed();
    }
  }

  function start(echo: Echo): Promise<Posted> {
    const sent = send(echo);
    // Whoever does not look at the promise sees it in the view.
    sent.catch(() => undefined);
    source.changed();
    return sent;
  }

  function shown(echo: Echo): Message {
    const { key, at, text, files, error, s } = echo;
    const about = { key, by: source.user(), at, text, files };
    if (s !== undefined) return { status: "sent", s, ...about, edited: false, deleted: false };
    const retry = (): void => {
      if (echo.state !== "failed") return;
      echo.state = "pending";
      delete echo.error;
      void start(echo);
    };
    const discard = (): void => {
      if (echo.state === "failed" && unsent.delete(key)) source.changed();
    };
    const status: UnsentMessage["status"] = echo.state === "failed" ? "failed" : "pending";
    return { status, ...about, ...(error !== undefined && { error }), retry, discard };
  }

  /** Until the answer tells, a post of the user that says the same and came after the echo is taken for it. */
  function guesses(events: readonly ChatEvent[]): ReadonlyMap<number, string> {
    const found = new Map<number, string>();
    const pending = [...unsent.values()].filter(({ state }) => state === "pending");
    if (pending.length === 0) return found;
    const posts = events.filter((event) => event.t === "messagePosted" && event.by === source.user());
    for (const echo of pending) {
      const its = posts.find((post) => !keys.has(post.s) && !found.has(post.s) && saysTheSame(echo, post));
      if (its !== undefined) found.set(its.s, echo.key);
    }
    return found;
  }

  return {
    add(post, key, after) {
      const { text = "", files = [] } = post;
      const at = new Date().toISOString();
      const echo: Echo = { key, post, after, at, text, files: files.map(messageFile), state: "pending" };
      unsent.set(key, echo);
      return start(echo);
    },
    over(messages, events, head) {
      for (const { key, s } of unsent.values()) if (s !== undefined && s <= head) unsent.delete(key);
      const guessed = guesses(events);
      const taken = new Set(guessed.values());
      const rest = [...unsent.values()].filter(({ key }) => !taken.has(key));
      const answered = rest.filter(({ s }) => s !== undefined).sort((a, b) => (a.s ?? 0) - (b.s ?? 0));
      const open = rest.filter(({ s }) => s === undefined);
      return [
        ...messages.map((message) => {
          const key = keys.get(message.s) ?? guessed.get(message.s);
          return key === undefined ? message : { ...message, key };
        }),
        ...[...answered, ...open].map(shown),
      ];
    },
  };
}

/** Of what was deleted since nobody can say what it was. */
function saysTheSame({ after, text, files }: Echo, post: ChatEvent): boolean {
  if (post.t !== "messagePosted" || post.s <= after) return false;
  if (post.d.text === null) return true;
  const { files: theirs = [] } = post.d;
  return post.d.text === text && theirs.length === files.length && theirs.every(({ id }, at) => id === files[at]?.id);
}

const messageFile = ({ file, name, size, type }: FileAnswer): MessageFile => ({ id: file, name, size, type });
