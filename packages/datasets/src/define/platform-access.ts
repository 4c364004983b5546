import type { GatewayClient, QualysSourceOptions } from '@edrlake/client';

/** An account on a platform, and how it is to be asked. */
export interface PlatformAccess {
  readonly client: GatewayClient;
  /** Time tokens that differ from the documented ones. */
  readonly timeTokens?: Partial<QualysSourceOptions['timeTokens']>;
  readonly pageSize?: number;
  readonly maxResultWindow?: number;
  readonly histogram?: 'on' | 'off' | 'auto';
  readonly walk?: 'pages' | 'searchAfter';
}
