import { get } from "node:http";
import { homedir } from "node:os";
import { join } from "node:path";

const answerMs = 5_000;

/** Where engines listen that were not started here: the system's, one without root, and those of desktops. */
const usualSockets = [
  "/var/run/docker.sock",
  ...(process.env.XDG_RUNTIME_DIR === undefined ? [] : [join(process.env.XDG_RUNTIME_DIR, "docker.sock")]),
  join(homedir(), ".docker/run/docker.sock"),
  join(homedir(), ".docker/desktop/docker.sock"),
];

/** Whether an engine that was not started here is to be used: the environment names one, or one answers where engines listen. */
export async function isEngineThere(): Promise<boolean> {
  // Whoever names one wants that one: it is asked, and what it says is told.
  if (process.env.DOCKER_HOST !== undefined) return true;
  const answers = await Promise.all(usualSockets.map(answersAt));
  return answers.includes(true);
}

/** Whether an engine answers at a socket. */
export function answersAt(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const request = get({ socketPath, path: "/_ping", timeout: answerMs }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    request.once("timeout", () => request.destroy());
    request.once("error", () => resolve(false));
  });
}
