import type { SimulatorOptions } from '@edrlake/simulator';

/** What the gateway process is started with. */
export interface GatewaySetting {
  readonly recordingFolder: string;
  readonly simulator: SimulatorOptions;
}

/** What a gateway has answered since it was last asked. */
export interface Served {
  logins: number;
  /** Path and query of every page of events, in the order asked for. */
  readonly pages: string[];
  /** Counts, histograms and the rest. */
  others: number;
  /** Requests that no recording held. */
  forwarded: number;
  bodyBytes: number;
  /** What the gateway process itself used. */
  readonly cpuSeconds: number;
}

/** `take`: returns what was served since the last time and counts anew. */
export type GatewayOrder = { readonly type: 'take'; readonly keepForwarded: boolean } | { readonly type: 'close' };

/** What the gateway process says. */
export type GatewayReply =
  | { readonly type: 'ready'; readonly url: string }
  | { readonly type: 'served'; readonly served: Served };
