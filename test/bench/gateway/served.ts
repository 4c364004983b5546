import type { SimulatorOptions } from '@edrlake/simulator';

/** The options of the gateway process. */
export interface GatewaySetting {
  readonly recordingFolder: string;
  readonly simulator: SimulatorOptions;
}

/** The answers of a gateway since it was last asked. */
export interface Served {
  logins: number;
  /** Path and query of every page that holds events, in the order of the answers. */
  readonly pages: string[];
  /** Counts, histograms, empty pages and all other requests. */
  others: number;
  /** Requests without a recorded answer. */
  forwarded: number;
  bodyBytes: number;
  /** CPU time of the gateway process itself. */
  readonly cpuSeconds: number;
}

/** `take`: returns what was served since the last call and starts counting again. */
export type GatewayOrder = { readonly type: 'take'; readonly keepForwarded: boolean } | { readonly type: 'close' };

/** The messages of the gateway process. */
export type GatewayReply =
  | { readonly type: 'ready'; readonly url: string }
  | { readonly type: 'served'; readonly served: Served };
