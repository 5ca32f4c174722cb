import { appEnv, runApp } from "@connect-hub/runtime";
import { readPlacementConfig } from "./config.ts";
import { startPlacement } from "./index.ts";

runApp("placement", () => startPlacement(readPlacementConfig(appEnv("placement"))));
