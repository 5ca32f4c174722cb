import type { Command } from "commander";
import { isSupervised, readBoxState } from "../box/boxState.ts";
import { readConnections } from "../box/connections.ts";
import type { CommandContext } from "../cli.ts";
import { examineCertificate } from "../doctor/certificate.ts";
import { examineContent } from "../doctor/content.ts";
import { examine, type Finding, fail, ok } from "../doctor/finding.ts";
import { examineFolders } from "../doctor/folders.ts";
import { examineGrowth } from "../doctor/growth.ts";
import { examineLog } from "../doctor/log.ts";
import { examineMachine } from "../doctor/machine.ts";
import { examineServers, examineVault } from "../doctor/servers.ts";
import { exitCodes, NotRunning } from "../exitCodes.ts";
import { withTablesOf } from "../readTables.ts";
import { textTable } from "../table.ts";

/** `hub doctor`: looks at everything that can be wrong with a box, and says what to do. */
export function registerDoctor(program: Command, context: CommandContext): void {
  program
    .command("doctor")
    .description(
      "look for what is wrong: machine, folders, certificate, keys, servers, log, tables, content, nodes; 1 when something fails",
    )
    .option("--json", "for programs")
    .action(async ({ json }: { readonly json?: true }) => {
      const findings = await examineBox(context);
      console.log(json === true ? JSON.stringify(findings, undefined, 2) : findingsText(findings));
      if (findings.some(({ state }) => state === "fail")) context.exitWith(exitCodes.failed);
    });
}

async function examineBox(context: CommandContext): Promise<readonly Finding[]> {
  const { dataDir } = context.config();
  const here = [...(await examineMachine()), ...examineFolders(dataDir)];
  const running = await examine("box", "Start it: npm run hub -- up", async () => {
    // Throws when there never was one.
    readConnections(dataDir);
    const state = readBoxState(dataDir);
    if (state === undefined || !isSupervised(state))
      return fail("box", "it isn't running", "Start it: npm run hub -- up");
    const down = state.processes.filter((one) => one.state !== "ready").map((one) => one.name);
    if (down.length === 0) return ok("box", `${state.phase} at ${state.address}`);
    return fail("box", `${down.join(", ")} can't be kept running`, `Read the end of its log in ${dataDir}/logs.`);
  });
  return [...here, ...running, ...(await examineBackends(context))];
}

async function examineBackends(context: CommandContext): Promise<readonly Finding[]> {
  try {
    const found: Finding[] = [];
    const { dataDir } = context.config();
    const reached = readConnections(dataDir);
    const state = readBoxState(dataDir);
    const address = state !== undefined && isSupervised(state) ? state.address : undefined;
    found.push(...(await examineCertificate(reached, address, Date.now())));
    await withTablesOf(reached, async (tables, connections) => {
      found.push(...(await examineServers(connections)), ...(await examineVault(connections)));
      found.push(...(await examineLog(connections, tables)), ...(await examineContent(connections)));
      found.push(...(await examineGrowth({ connections, dataDir, tables, nowMs: Date.now() })));
    });
    return found;
  } catch (error) {
    // Without connections there is nothing to look at, and the box has said so.
    if (error instanceof NotRunning) return [];
    throw error;
  }
}

function findingsText(findings: readonly Finding[]): string {
  const rows = findings.map(({ state, check, says, todo }) => [state, check, says, todo ?? ""]);
  const failed = findings.filter(({ state }) => state === "fail").length;
  const warned = findings.filter(({ state }) => state === "warn").length;
  const sum = failed + warned === 0 ? "All is well." : `${failed} failed, ${warned} to be watched.`;
  return `${textTable(["", "check", "found", "what to do"], rows)}\n${sum}`;
}
