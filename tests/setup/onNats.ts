import { afterAll, beforeAll, describe, inject } from "vitest";
import { type OwnNatsCluster, startNatsCluster } from "./natsCluster.ts";

/** The log that a group of tests runs on; known once its tests run. */
export interface LogUnderTest {
  readonly url: string;
  /** As many as there are servers. */
  readonly replicas: 1 | 3;
}

/** Runs the same tests on the run's one nats-server and on three of their own that are one cluster, each commit on all three. */
export function onNats(tests: (nats: LogUnderTest) => void): void {
  describe("on one nats-server", () => {
    tests({
      get url() {
        return inject("natsUrl");
      },
      replicas: 1,
    });
  });
  describe("on three nats-servers", () => {
    let cluster: OwnNatsCluster | undefined;
    beforeAll(async () => {
      cluster = await startNatsCluster(3);
    });
    afterAll(() => cluster?.close());
    tests({
      get url() {
        return cluster?.url ?? "";
      },
      replicas: 3,
    });
  });
}

/** Runs the same tests on one nats-server of their own and on three, all of which they may kill. */
export function onOwnNats(tests: (nats: () => OwnNatsCluster) => void): void {
  describe.each([1, 3] as const)("on %i nats-server(s) that may be killed", (size) => {
    let cluster: OwnNatsCluster | undefined;
    beforeAll(async () => {
      cluster = await startNatsCluster(size);
    });
    afterAll(() => cluster?.close());
    tests(() => {
      if (cluster === undefined) throw new Error("The servers are started before the first test.");
      return cluster;
    });
  });
}
