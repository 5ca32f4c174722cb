import { connect } from "node:net";
import { connect as connectTls } from "node:tls";

/** Where to ask. */
export interface AskTarget {
  readonly host: string;
  readonly port: number;
  /** Encrypted from the first byte; default false. */
  readonly tls?: boolean;
}

/**
 * Opens a TCP connection, sends `request`, and resolves with what came back as soon as `isEnough` says so; with what there is
 * when the other side closes, refuses, or takes longer than `timeoutMs`.
 */
export function ask(
  target: AskTarget,
  request: string | Uint8Array,
  isEnough: (answer: string) => boolean,
  timeoutMs = 2_000,
): Promise<string> {
  return new Promise((resolve) => {
    let answer = "";
    const { host, port } = target;
    const socket = target.tls === true ? connectTls({ host, port, servername: host }) : connect({ host, port });
    const end = () => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answer);
    };
    const timer = setTimeout(end, timeoutMs);
    socket.once(target.tls === true ? "secureConnect" : "connect", () => socket.write(request));
    socket.on("data", (bytes) => {
      answer += bytes.toString("latin1");
      if (isEnough(answer)) end();
    });
    socket.once("error", end);
    socket.once("close", end);
  });
}
