import { createServer } from "node:http";
import { assertPortFree } from "@connect-hub/runtime";

/** Where the metrics are read. */
export interface MetricsDoor {
  readonly port: number;
  close(): Promise<void>;
}

/**
 * Serves `text()` at `GET /metrics`, at an address of its own: what an edge does is nobody's business but the operator's. Throws
 * `RuntimeError` (`PortInUse`) naming HUB_METRICS_PORT.
 */
export async function openMetricsDoor(
  { host, port }: { readonly host: string; readonly port: number },
  text: () => Promise<string>,
): Promise<MetricsDoor> {
  if (port !== 0) await assertPortFree(port, "HUB_METRICS_PORT", "the metrics of the edge", host);
  const server = createServer((request, response) => {
    const answer = (status: number, body: string) => {
      const headers = {
        "content-type": "text/plain; version=0.0.4; charset=utf-8",
        "x-content-type-options": "nosniff",
      };
      response.writeHead(status, headers).end(body);
    };
    if (request.method !== "GET" || request.url?.split("?")[0] !== "/metrics")
      return answer(404, "only GET /metrics\n");
    text().then(
      (body) => answer(200, body),
      () => answer(500, "the metrics can't be read\n"),
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, resolve);
  });
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
