import { defineConfig } from "vitest/config";

const notOurs = ["**/node_modules/**", "**/.hub/**", "**/.turbo/**"];
// The apps that tests start as processes.
const bundle = "scripts/build.mjs";

// unit: pure. int: with one real server each, started once for all files. e2e: the whole system.
// tests/house/projects.test.ts holds that each test file belongs to exactly one.
export default defineConfig({
  test: {
    pool: "forks",
    passWithNoTests: false,
    teardownTimeout: 30_000,
    projects: [
      {
        test: {
          name: "unit",
          include: ["**/*.test.ts"],
          exclude: [...notOurs, "**/*.int.test.ts", "**/*.e2e.test.ts"],
          maxWorkers: 2,
          // To import everything anew for each file took half of the time. What a test changed for all is put back after it.
          isolate: false,
          restoreMocks: true,
          unstubEnvs: true,
          testTimeout: 10_000,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: "int",
          include: ["**/*.int.test.ts"],
          exclude: notOurs,
          globalSetup: [bundle, "tests/setup/servers.ts"],
          // They wait for servers and clocks more than they compute.
          maxWorkers: 3,
          testTimeout: 30_000,
          hookTimeout: 60_000,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: "e2e",
          include: ["tests/**/*.e2e.test.ts"],
          exclude: notOurs,
          globalSetup: bundle,
          // Each starts servers and processes of its own: more of them side by side would measure each other.
          maxWorkers: 2,
          testTimeout: 240_000,
          hookTimeout: 240_000,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
