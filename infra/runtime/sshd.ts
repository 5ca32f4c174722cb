import { chownSync, existsSync, mkdirSync } from "node:fs";
import { userInfo } from "node:os";
import { dirname, join } from "node:path";
import { reachableHome, unprivilegedAccount } from "./account.ts";
import { ask } from "./ask.ts";
import { openDataFolder, usableCacheFolder } from "./dataFolder.ts";
import { RuntimeError } from "./errors.ts";
import { writeFileAtomic } from "./files.ts";
import { copyForEveryone, findServer } from "./findServer.ts";
import { assertPortFree, freePort } from "./ports.ts";
import { defaultCacheFolder, type OnProgress } from "./privateCopy.ts";
import { descendantsOf, signalOne, signalTree } from "./processTree.ts";
import { run } from "./run.ts";
import { type Account, askVersion, type ServerProgram } from "./serverProgram.ts";
import { readOrMakeSshKeyFile } from "./sshKey.ts";
import { type SupervisedProcess, superviseProcess } from "./supervisedProcess.ts";
import { compareVersions } from "./versions.ts";

/** How to start a content node on this machine. */
export interface StartSshdOptions {
  readonly dataDir: string;
  /** The public key line of the only one who may log in. */
  readonly authorizedKey: string;
  /** Tells several in one data folder apart; default `sshd`. */
  readonly name?: string;
  /** Default or 0: any free one, kept when sshd is restarted. */
  readonly port?: number;
  /** Ignore what is installed on the machine. */
  readonly privateOnly?: boolean;
  readonly cacheFolder?: string;
  readonly onProgress?: OnProgress;
}

/** An sshd on the loopback address that serves one folder by SFTP, and is started again when it dies. */
export interface RunningSshd {
  readonly source: "path" | "private";
  readonly version: string;
  /** `127.0.0.1:port`. */
  readonly address: string;
  readonly port: number;
  /** The account's name, to log in with. */
  readonly user: string;
  /** The host key's fingerprint, `SHA256:…`; the same after a restart. */
  readonly hostKey: string;
  /** The absolute path of the folder that it serves, here and for who logs in. */
  readonly folder: string;
  readonly process: SupervisedProcess;
  /** Sends a signal to sshd and to the processes of all its connections. */
  signal(signal: NodeJS.Signals): void;
  /** Stops it, cuts its connections and waits until it is gone. */
  close(): Promise<void>;
}

// Not PostgreSQL's, whose files no login is to reach. Where systemd answers for accounts it says that nobody is locked.
const accounts = ["daemon", "nobody"];
const noAccount = "sshd doesn't serve as root here, and there is no account daemon or nobody. Run as an ordinary user.";

/**
 * Finds and starts sshd as an ordinary user, for a content node on this machine: for tests, the demo and benches. Only one key may
 * log in, and only for SFTP; the folder is no jail.
 * @throws RuntimeError `ServerNotFound`, `ServerTooOld`, `PortInUse`, `ServerFailed`, `DataUnusable`
 */
export async function startSshd(options: StartSshdOptions): Promise<RunningSshd> {
  const { name = "sshd", port: wanted = 0, authorizedKey, onProgress } = options;
  const folder = openDataFolder(options.dataDir);
  const account = await unprivilegedAccount(join(folder.path, name, "data"), accounts, noAccount);
  const cacheFolder = options.cacheFolder ?? usableCacheFolder(folder, defaultCacheFolder());
  const found = await findServer("sshd", {
    cacheFolder,
    account,
    privateOnly: options.privateOnly === true,
    ...(onProgress && { onProgress }),
  });
  const program = await reachableProgram(found, account);
  const user = await userName(account);
  const home = await reachableHome(folder, name, account);
  const data = join(home, "data");
  mkdirSync(data, { recursive: true, mode: 0o700 });
  const hostKey = readOrMakeSshKeyFile(join(home, "host_key"), name);
  writeFileAtomic(join(home, "authorized_keys"), `${authorizedKey.trim()}\n`);
  for (let attempt = 1; ; attempt++) {
    const port = wanted === 0 ? await freePort() : wanted;
    if (wanted !== 0) await assertPortFree(port, "port", "sshd");
    writeFileAtomic(join(home, "sshd_config"), configuration({ home, data, port, user, program }));
    if (account !== undefined) {
      for (const file of ["data", "host_key", "authorized_keys", "sshd_config"])
        chownSync(join(home, file), account.uid, account.gid);
    }
    try {
      const process = await superviseProcess({
        ...account,
        name,
        command: program.binary,
        args: ["-D", "-e", "-f", join(home, "sshd_config")],
        env: { PATH: globalThis.process.env.PATH ?? "", ...program.env },
        cwd: "/",
        logFile: join(folder.logs, `${name}.log`),
        pidFile: join(folder.run, `${name}.pid`),
        readyTimeoutMs: 20_000,
        stopSignal: "SIGTERM",
        stopTimeoutMs: 5_000,
        isReady: async () =>
          (await ask({ host: "127.0.0.1", port }, "", (said) => said.includes("\n"))).startsWith("SSH-"),
      });
      const { source, version } = program;
      const running = { source, version, address: `127.0.0.1:${port}`, port, user, hostKey: hostKey.fingerprint };
      return {
        ...running,
        folder: data,
        process,
        signal: (one) => signalAll(process, one),
        close: () => stop(process),
      };
    } catch (error) {
      // Somebody else may have taken the free port in the meantime.
      const mayHelp = wanted === 0 && attempt < 3 && error instanceof RuntimeError && /in use/i.test(error.message);
      if (!mayHelp) throw error;
    }
  }
}

function signalAll(process: SupervisedProcess, signal: NodeJS.Signals): void {
  if (process.pid !== undefined) signalTree(process.pid, signal);
}

// Connections outlive the listener by themselves. It is halted while they are listed, so that none begins after that.
async function stop(process: SupervisedProcess): Promise<void> {
  const { pid } = process;
  if (pid === undefined) return process.stop();
  signalOne(pid, "SIGSTOP");
  const connections = descendantsOf(pid);
  const stopped = process.stop();
  signalOne(pid, "SIGCONT");
  await stopped;
  for (const pid of connections) signalTree(pid, "SIGKILL");
}

interface Setup {
  readonly home: string;
  readonly data: string;
  readonly port: number;
  readonly user: string;
  readonly program: ServerProgram;
}

function configuration({ home, data, port, user, program }: Setup): string {
  // sshd splits the command at blanks, whatever is quoted; the folder is known by its whole path as well.
  const start = /\s/.test(data) ? "" : ` -d ${data.replaceAll("%", "%%")}`;
  const sessions = join(dirname(program.binary), "../lib/openssh");
  const lines = [
    `ListenAddress 127.0.0.1:${port}`,
    `HostKey "${join(home, "host_key")}"`,
    `AuthorizedKeysFile "${join(home, "authorized_keys")}"`,
    "PidFile none",
    "UsePAM no",
    // The folders above are not sshd's to judge: a temporary folder is open to everybody.
    "StrictModes no",
    "AuthenticationMethods publickey",
    "PasswordAuthentication no",
    "KbdInteractiveAuthentication no",
    `AllowUsers ${user}`,
    "DisableForwarding yes",
    "PermitTTY no",
    "PermitUserRC no",
    "UseDNS no",
    "PrintMotd no",
    "MaxStartups 100",
    "Subsystem sftp internal-sftp",
    `ForceCommand internal-sftp${start} -u 0077 -P setstat,fsetstat,lsetstat,symlink,hardlink,readlink`,
    // From 9.8 on those who connect and leave are kept out for a while, and the program is made of several.
    ...(compareVersions(program.version, "9.8") >= 0 ? ["PerSourcePenalties no"] : []),
    ...(program.source === "private" && existsSync(join(sessions, "sshd-session"))
      ? [`SshdSessionPath "${join(sessions, "sshd-session")}"`]
      : []),
    ...(program.source === "private" && existsSync(join(sessions, "sshd-auth"))
      ? [`SshdAuthPath "${join(sessions, "sshd-auth")}"`]
      : []),
  ];
  return `${lines.join("\n")}\n`;
}

async function userName(account: Account | undefined): Promise<string> {
  try {
    return account === undefined ? userInfo().username : (await run("id", ["-un", String(account.uid)])).stdout.trim();
  } catch (cause) {
    const uid = account?.uid ?? process.getuid?.();
    throw new RuntimeError("ServerFailed", `sshd needs an account with a name, which ${uid} has not.`, cause);
  }
}

// The cache may lie under a folder that only root can enter.
async function reachableProgram(program: ServerProgram, account: Account | undefined): Promise<ServerProgram> {
  const { binary, env, version } = program;
  if (program.source === "path" || account === undefined) return program;
  if ((await askVersion("sshd", binary, env, account)) !== undefined) return program;
  const root = join(dirname(binary), "../..");
  const moved = (path: string) => path.replaceAll(root, copyForEveryone(root, `sshd-${version}`));
  const movedEnv = Object.fromEntries(Object.entries(env).map(([key, value]) => [key, moved(value)]));
  return { ...program, binary: moved(binary), env: movedEnv };
}
