import { freePort } from "@connect-hub/runtime";
import { afterAll, beforeAll, expect, inject, test, vi } from "vitest";
import { bareSocket } from "../support/bareSocket.ts";
import { type ChatUnderTest, chatUnderTest, type Person, type StartedEdge } from "../support/chat.ts";

let chat: ChatUnderTest;
let edge: StartedEdge;
let port: number;
let ada: Person;
beforeAll(async () => {
  const servers = { natsUrl: inject("natsUrl"), postgresUrl: inject("postgresUrl"), valkeyUrl: inject("valkeyUrl") };
  chat = await chatUnderTest(servers);
  await chat.startCommands();
  port = await freePort();
  edge = await chat.startEdge({ HUB_METRICS_PORT: String(port) });
  ada = await chat.person(edge, "ada");
});
afterAll(() => chat?.close());

const at = (path: string, method = "GET") => fetch(`http://127.0.0.1:${port}${path}`, { method });

/** The values by name and labels, as Prometheus reads them. */
async function values(): Promise<ReadonlyMap<string, number>> {
  const answer = await at("/metrics");
  expect([answer.status, answer.headers.get("content-type")]).toEqual([
    200,
    "text/plain; version=0.0.4; charset=utf-8",
  ]);
  const lines = (await answer.text()).split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(
    lines.map((line) => {
      const space = line.lastIndexOf(" ");
      return [line.slice(0, space).replace(/^hub_edge_/, ""), Number(line.slice(space + 1))];
    }),
  );
}

test("what an edge did and has is counted", async () => {
  const idle = await values();
  expect([idle.get("sockets"), idle.get("rooms"), idle.get('resumes_total{outcome="reset"}')]).toEqual([0, 0, 0]);

  const a = await bareSocket(edge.url, ada.session.token);
  const command = async (m: string, d: object) => (await a.command(m, d)).ok as { room: string; s: number };
  const { room } = await command("createRoom", { name: "Engine" });
  await a.first("room");
  for (const text of ["one", "two"]) await command("postMessage", { room, text });
  await command("postMessage", { room, text: "" });
  await vi.waitFor(() => expect(a.frames.filter((frame) => frame.t === "messagePosted")).toHaveLength(2));
  a.send({ resume: { [room]: ["00000000", 1] } });
  await a.first("resumed");

  const now = await values();
  const shown = (name: string) => now.get(name);
  expect([shown("sockets"), shown("rooms")]).toEqual([1, 1]);
  expect(shown("frames_published_total")).toBeGreaterThanOrEqual(2);
  expect(shown("frames_dropped_total")).toBe(0);
  expect(shown('resumes_total{outcome="reset"}')).toBe(1);
  expect(shown('commands_total{method="postMessage",outcome="ok"}')).toBe(2);
  expect(shown('commands_total{method="postMessage",outcome="BadInput"}')).toBe(1);
  expect(shown('command_seconds_count{method="postMessage"}')).toBe(3);
  expect(shown('command_seconds_bucket{le="+Inf",method="postMessage"}')).toBe(3);
  await vi.waitFor(async () => {
    const lags = [...(await values())].filter(([name]) => name.startsWith("lane_lag"));
    expect(lags).toEqual(["accounts.0", "rooms.0", "content.0"].map((lane) => [`lane_lag{lane="${lane}"}`, 0]));
  });
  a.close();
  await vi.waitFor(async () => expect((await values()).get("sockets")).toBe(0));
});

test("nothing else is there, and nothing of it at the public door", async () => {
  for (const [path, method] of [
    ["/", "GET"],
    ["/metrics/", "GET"],
    ["/metrics", "POST"],
    ["/v1/rooms", "GET"],
  ] as const)
    expect((await at(path, method)).status).toBe(404);
  expect((await fetch(`${edge.url}/metrics`)).status).toBe(404);
});

test("a port that is taken is an error that names the variable", async () => {
  await expect(chat.startEdge({ HUB_METRICS_PORT: String(port) })).rejects.toMatchObject({
    code: "PortInUse",
    message: expect.stringContaining("HUB_METRICS_PORT"),
  });
});
