import { chownSync, mkdtempSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { startOwnSshd } from "./ownSshd.ts";

/** A content node for tests that do it no harm, and how to log in there. */
export interface TestNode {
  readonly privateKey: string;
  /** For `connectNode`. */
  readonly target: { host: string; port: number; user: string; path: string; hostKey: string };
  /** Where `target.path` lies on this machine. */
  readonly folder: string;
  close(): Promise<void>;
}

/** A node that runs already, such as that of `npm run test:containers`, as JSON in HUB_TEST_NODE. */
export interface SharedNode extends Omit<TestNode, "close"> {
  /** The account that the node writes as, by its number on this machine. */
  readonly uid: number;
}

/** A folder of the test's own on the node that the environment names, or, without one, an sshd of its own. */
export async function openTestNode(): Promise<TestNode> {
  const shared = process.env.HUB_TEST_NODE;
  if (shared === undefined) return startOwnSshd();
  const node: SharedNode = JSON.parse(shared);
  const folder = mkdtempSync(join(node.folder, "t-"));
  chownSync(folder, node.uid, -1);
  return {
    privateKey: node.privateKey,
    target: { ...node.target, path: `${node.target.path}/${basename(folder)}` },
    folder,
    async close() {
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
