import { existsSync, utimesSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

// This module runs in two forms: as the source that a test imports, or as a part of a bundle (scripts/build.mjs).
const here = dirname(fileURLToPath(import.meta.url));

/** The top folder of this checkout. */
export const checkout = topFrom(here);

/** Where the bundled apps lie: those that this code was bundled with, or those that belong to the sources. */
const bundleFolder = import.meta.url.endsWith(".ts") ? join(checkout, "dist/latest") : here;

function topFrom(folder: string): string {
  if (existsSync(join(folder, "nats.conf"))) return folder;
  const above = dirname(folder);
  if (above === folder) throw new Error(`${here} is not in a checkout: no folder above it has a nats.conf.`);
  return topFrom(above);
}

/** The bundle that belongs to the sources now, which may be later than the one that this code was bundled with. */
export const latestBundle = join(checkout, "dist/latest");

/** What node is started with to run these apps in one process. */
export function appArgs(apps: readonly string[], folder = bundleFolder): readonly string[] {
  const [main = "", ...others] = apps.map((app) => join(folder, `${app}.js`));
  return [...memoryFlags(apps), "--enable-source-maps", ...others.flatMap((path) => ["--import", path]), main];
}

/**
 * A projector makes garbage as fast as it reads. With a small young generation it takes an eighth less memory while it fills tables
 * (measured: 273 MB instead of 312) and no more CPU. An edge makes garbage while sockets sign in and then keeps a few KB for each for days: by
 * itself node would keep four times as much (measured with 2,000 sockets: 35 KB each instead of 10), for a quarter less CPU at each sign-in
 * and a tenth less at each delivery (one pair of runs).
 */
function memoryFlags(apps: readonly string[]): readonly string[] {
  if (apps.every((app) => app === "edge"))
    return ["--optimize-for-size", "--max-semi-space-size=2", "--initial-old-space-size=32"];
  return apps.every((app) => app === "projector") ? ["--max-semi-space-size=4"] : [];
}

/** Keeps the bundle that this process starts others from: one that nobody has touched for a week is removed when the next is made. */
export function keepBundle(): void {
  const touch = () => {
    try {
      utimesSync(bundleFolder, new Date(), new Date());
    } catch {
      // A checkout of another account can be run, not written; nor is anything removed there.
    }
  };
  setInterval(touch, 3_600_000).unref();
}
