export { OCSF_LAYOUTS } from './publish/layout.ts';
export { type OcsfPlace, ocsfPlace } from './publish/place.ts';
export { OCSF_VERSIONS } from './schema/facts.ts';
