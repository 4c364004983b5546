export { type ColumnDetails, field, fromEvent } from './define/column.ts';
export { defineDataset, type EventApi, type SourcedDataset } from './define/define-dataset.ts';
export {
  type ChildDefinition,
  defineTables,
  type EventsDefinition,
  type TablesDefinition,
} from './define/define-tables.ts';
export { QUALYS_EDR } from './qualys-edr/tables.ts';
export { QUALYS_FIM } from './qualys-fim/tables.ts';
export { DEFAULT_DATASET, datasetNamed } from './shipped.ts';
