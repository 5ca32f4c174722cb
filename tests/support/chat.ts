import { type RunningCommands, readCommandsConfig, startCommands } from "@connect-hub/commands";
import { type RunningEdge, readEdgeConfig, startEdge } from "@connect-hub/edge";
import { type RunningProjectors, readProjectorConfig, startProjectors } from "@connect-hub/projector";
import { type Client, type ConnectOptions, connect, register, type Session, signIn } from "@connect-hub/sdk";
import { vi } from "vitest";
import { WebSocket } from "ws";
import { type FreshBox, freshBox } from "./freshBox.ts";

/** A fresh box with its apps in this process, and people who use it over the public doors. */
export interface ChatUnderTest {
  readonly box: FreshBox;
  startCommands(): Promise<RunningCommands>;
  startProjector(): Promise<RunningProjectors>;
  /** Starts an edge and waits until it is ready. */
  startEdge(overrides?: Record<string, string>): Promise<StartedEdge>;
  /** Registers somebody and signs them in. */
  person(edge: StartedEdge, name: string): Promise<Person>;
  close(): Promise<void>;
}

export interface StartedEdge extends RunningEdge {
  readonly url: string;
}

export interface Person {
  readonly name: string;
  readonly email: string;
  readonly password: string;
  readonly user: string;
  readonly session: Session;
  /** Connects; keeps what it is told. */
  connect(options?: Partial<ConnectOptions>): Talker;
}

/** A client that writes down, for each room, what it was told. */
export interface Talker {
  readonly client: Client;
  /** The events of a room since it was last begun anew, as `s type`. */
  events(room: string): readonly string[];
  readonly told: string[];
}

export async function chatUnderTest(
  servers: { readonly natsUrl: string; readonly postgresUrl: string; readonly valkeyUrl: string },
  options: { readonly roomLanes?: number } = {},
): Promise<ChatUnderTest> {
  const box = await freshBox({ ...servers, ...options });
  const running = new Set<{ close(): Promise<void> }>();
  const clients: Client[] = [];
  let people = 0;

  async function started<T extends { close(): Promise<void> }>(starting: Promise<T>): Promise<T> {
    const app = await starting;
    const tracked = {
      ...app,
      async close() {
        if (running.delete(tracked)) await app.close();
      },
    };
    running.add(tracked);
    return tracked;
  }

  return {
    box,
    startCommands: () => started(startCommands(readCommandsConfig(box.env))),
    startProjector: () => started(startProjectors(readProjectorConfig(box.env))),
    async startEdge(overrides) {
      const env = { HUB_ATTEMPTS_PER_MINUTE: "100000", ...box.env, ...overrides };
      const edge = await started(startEdge(readEdgeConfig(env)));
      const url = `http://127.0.0.1:${edge.port}`;
      await vi.waitFor(async () => {
        const answer = await fetch(`${url}/ready`);
        if (answer.status !== 200) throw new Error(await answer.text());
      }, 15_000);
      return Object.assign(edge, { url });
    },
    async person({ url }, name) {
      people += 1;
      const email = `${name}${people}@example.org`;
      const password = "correct horse battery";
      const { user } = await register({ url, email, password, name });
      const session = await signIn({ url, email, password });
      const connectTo = (overrides: Partial<ConnectOptions> = {}) => {
        const talker = talk({ url, token: session.token, position: session.position, ...overrides });
        clients.push(talker.client);
        return talker;
      };
      return { name, email, password, user, session, connect: connectTo };
    },
    async close() {
      for (const client of clients) client.close();
      for (const app of [...running].reverse()) await app.close();
      await box.close();
    },
  };
}

function talk(options: ConnectOptions): Talker {
  const rooms = new Map<string, string[]>();
  const told: string[] = [];
  const client = connect({
    WebSocket,
    history: 1_000_000,
    onEvents(room, events) {
      const list = rooms.get(room) ?? [];
      list.push(...events.map(({ s, t }) => `${s} ${t}`));
      rooms.set(room, list);
    },
    onReset(room) {
      rooms.delete(room);
      told.push("reset");
    },
    onRoom: () => void told.push("room"),
    onLeft: () => void told.push("left"),
    onState: (state, error) => void told.push(error === undefined ? state : `${state} ${error.name}`),
    ...options,
  });
  return { client, told, events: (room) => rooms.get(room) ?? [] };
}
