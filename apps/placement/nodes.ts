import type { ContentNode } from "@connect-hub/projections";
import { NodeClient, type NodeClientOptions } from "./nodeClient.ts";

export interface NodesOptions extends NodeClientOptions {
  /** All nodes, by the tables. */
  list(): Promise<readonly ContentNode[]>;
}

/** The nodes that were added, each with its connections. */
export class Nodes {
  readonly #options: NodesOptions;
  readonly #clients = new Map<string, NodeClient>();

  constructor(options: NodesOptions) {
    this.#options = options;
  }

  /** Those that are in use. */
  get all(): readonly NodeClient[] {
    return [...this.#clients.values()];
  }

  byId(id: string): NodeClient | undefined {
    return this.#clients.get(id);
  }

  /**
   * Meets nodes that were added, and begins to connect to those that there is no connection to; a node that is away is not
   * waited for. Throws what `list` throws.
   */
  async refresh(): Promise<void> {
    for (const node of await this.#options.list()) {
      if (node.state === "active" && !this.#clients.has(node.id))
        this.#clients.set(node.id, new NodeClient(node, this.#options));
    }
    for (const client of this.all) void client.look();
  }

  async close(): Promise<void> {
    await Promise.all(this.all.map((client) => client.close()));
  }
}
