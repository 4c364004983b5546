export { type HuntFolder, type ListFault, readHuntFolder } from './indicators/hunt-folder.ts';
export { type Indicator, type IndicatorKind, recognise, type Sought } from './indicators/indicator.ts';
export type { IndicatorFault, IndicatorList } from './indicators/list.ts';
export { readIndicators, refuseFaults } from './indicators/read-indicators.ts';
