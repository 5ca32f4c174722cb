export { type EdgeConfig, readEdgeConfig } from "./config.ts";
export { openApi } from "./openApi.ts";
export { type RunningEdge, startEdge } from "./startEdge.ts";
