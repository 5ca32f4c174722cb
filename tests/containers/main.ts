import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { claimDataFolder, openDataFolder, sweepAbandoned } from "@connect-hub/runtime";
import { baseImage } from "./baseImage.ts";
import { openEngine } from "./engine.ts";
import { buildImage, type ImageKind, imageKinds } from "./images.ts";
import { startContainers, sweepContainers } from "./servers.ts";
import { type Outcome, runSuite } from "./suite.ts";

const prefix = "connect-hub-containers-";
const stop = new AbortController();

/** Runs the integration tests against containers. Exit codes: 0 all passed, 1 some failed, none ran or something went wrong. */
async function main(): Promise<number> {
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => stop.abort(new Error("Called off.")));
  try {
    const { passed, failed, skipped } = await runInContainers();
    console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}, against containers`);
    if (passed === 0) console.error("No test ran.");
    return failed > 0 || passed === 0 ? 1 : 0;
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    return 1;
  }
}

async function runInContainers(): Promise<Outcome> {
  const say = (text: string) => console.log(text);
  // A run that was killed could not remove its folder.
  await sweepAbandoned(tmpdir(), prefix);
  const folder = mkdtempSync(join(tmpdir(), prefix));
  claimDataFolder(openDataFolder(folder));
  const engine = await openEngine(say).catch((error) => {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  });
  try {
    await sweepContainers(engine.client);
    stop.signal.throwIfAborted();
    const base = await baseImage(engine.client, say);
    const images: Partial<{ [kind in ImageKind]: string }> = {};
    for (const kind of imageKinds) {
      stop.signal.throwIfAborted();
      images[kind] = await buildImage(kind, { client: engine.client, base, say });
    }
    const containers = await startContainers(images as { readonly [kind in ImageKind]: string }, folder);
    try {
      for (const version of containers.versions) say(`  ${version}`);
      return await runSuite(process.argv.slice(2), { env: containers.env, folder, signal: stop.signal });
    } finally {
      await containers.close();
    }
  } finally {
    await engine.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

process.exitCode = await main();
