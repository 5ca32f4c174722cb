import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { expect, test } from "vitest";

test("for browsers the SDK is at most 20 kB, minified and by gzip, and brings nothing but zod/mini", async () => {
  const built = await build({
    entryPoints: [fileURLToPath(new URL("./index.ts", import.meta.url))],
    bundle: true,
    minify: true,
    format: "esm",
    platform: "browser",
    target: "es2022",
    write: false,
    metafile: true,
  });
  const [file] = built.outputFiles;
  const parts = Object.entries(Object.values(built.metafile.outputs)[0]?.inputs ?? {});
  const packages = parts.flatMap(([path, { bytesInOutput }]) => {
    const [, inside] = /node_modules\/(.*)$/.exec(path) ?? [];
    return inside === undefined || bytesInOutput === 0 ? [] : [inside];
  });
  expect(packages.filter((path) => !path.startsWith("zod/v4/core/") && !path.startsWith("zod/v4/mini/"))).toEqual([]);
  expect(parts.length).toBeGreaterThan(20);
  expect(gzipSync(file?.contents ?? "", { level: 9 }).byteLength).toBeLessThanOrEqual(20_000);
});
