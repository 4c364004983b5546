export { type ClassPlan, type MappingPlan, planMapping } from './mapping/class-plan.ts';
export { classUidSql, eventsSql, findingsSql, METER, type Slice } from './mapping/forward-sql.ts';
export { sourceRowsSql } from './mapping/inverse-sql.ts';
export { OCSF_LAYOUTS, type OcsfLayout } from './publish/layout.ts';
export {
  type PublishedClass,
  type PublishOcsfOptions,
  type PublishOcsfReport,
  publishOcsf,
} from './publish/publish-ocsf.ts';
export { CLASSES, type ClassFacts, classNamed, objectShape, plainName } from './schema/classes.ts';
export { type Attribute, OCSF_VERSIONS, type OcsfVersion, type Shape, shapeOf } from './schema/facts.ts';
export { OBJECTS } from './schema/objects.ts';
export { typeFacts } from './schema/types.ts';
