import { appEnv, runApp } from "@connect-hub/runtime";
import { readEdgeConfig } from "./config.ts";
import { startEdge } from "./index.ts";

runApp("edge", () => startEdge(readEdgeConfig(appEnv("edge"))));
