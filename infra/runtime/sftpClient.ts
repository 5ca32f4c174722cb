import { existsSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { findServer } from "./findServer.ts";

/** OpenSSH's own client programs. */
export interface SftpClient {
  readonly sftp: string;
  /** What `sftp` is to be told to connect with (`-S`). */
  readonly ssh: string;
  /** What both need in their environment. */
  readonly env: Readonly<Record<string, string>>;
}

/**
 * OpenSSH's `sftp`: the one on the path, or that of the private copy.
 * @throws RuntimeError as `findServer` does
 */
export async function findSftpClient({ privateOnly = false }: { privateOnly?: boolean } = {}): Promise<SftpClient> {
  const folders = privateOnly ? [] : (process.env.PATH ?? "").split(delimiter);
  const folder = folders.find((one) => one !== "" && ["sftp", "ssh"].every((name) => existsSync(join(one, name))));
  if (folder !== undefined) return { sftp: join(folder, "sftp"), ssh: join(folder, "ssh"), env: {} };
  const { binary, env } = await findServer("sshd", { privateOnly: true });
  const programs = join(dirname(binary), "../bin");
  return { sftp: join(programs, "sftp"), ssh: join(programs, "ssh"), env };
}
