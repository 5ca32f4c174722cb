import { connect } from "node:net";

/**
 * Opens a TCP connection, sends `request`, and resolves with what came back as soon as `isEnough` says so; with what there is
 * when the other side closes, refuses, or takes longer than `timeoutMs`.
 */
export function ask(
  address: { readonly host: string; readonly port: number },
  request: string,
  isEnough: (answer: string) => boolean,
  timeoutMs = 2_000,
): Promise<string> {
  return new Promise((resolve) => {
    let answer = "";
    const socket = connect({ ...address, timeout: timeoutMs });
    const end = () => {
      socket.destroy();
      resolve(answer);
    };
    socket.once("connect", () => socket.write(request));
    socket.on("data", (bytes) => {
      answer += bytes.toString("utf8");
      if (isEnough(answer)) end();
    });
    socket.once("timeout", end);
    socket.once("error", end);
    socket.once("close", end);
  });
}
