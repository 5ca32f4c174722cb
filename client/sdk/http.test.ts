import { type AddressInfo, createServer, type Server } from "node:net";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { downloadFile, signIn, uploadFile } from "./index.ts";

// As a frozen edge: the system takes the connection, and nobody says anything.
let silent: Server;
let url: string;
beforeEach(async () => {
  silent = createServer(() => undefined);
  await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`;
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
});
afterEach(() => {
  vi.useRealTimers();
  silent.close();
});

test.each([
  ["a sign-in, after 15 s", 15_000, () => signIn({ url, email: "ada@example.org", password: "a long password" })],
  ["a download, after 25 s", 25_000, () => downloadFile({ url, token: "t.secret", file: "f1" })],
  [
    "an upload, when it would have been too slow for the edge",
    76_000,
    () => uploadFile({ url, token: "t.secret", room: "r1", name: "a", bytes: new Uint8Array(4_000), patienceMs: 0 }),
  ],
])("who is not answered is told so, and may try again: %s", async (_, timeoutMs, ask) => {
  let outcome: unknown;
  ask().catch((error: unknown) => {
    outcome = error;
  });
  await vi.advanceTimersByTimeAsync(timeoutMs - 1);
  expect(outcome).toBeUndefined();
  await vi.advanceTimersByTimeAsync(1);
  await vi.waitFor(() => expect(outcome).toMatchObject({ name: "LineDead", retry: true }));
});
