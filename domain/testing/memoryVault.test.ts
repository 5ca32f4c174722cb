import { describe } from "vitest";
import { memoryVault } from "./memoryVault.ts";
import { vaultFeatures } from "./vault.features.ts";

describe("the vault in memory", () => {
  vaultFeatures(async () => {
    const vault = memoryVault();
    return { vault, other: vault };
  });
});
