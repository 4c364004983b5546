// Before any test of the project begins, and so before any runs the command: packing removes and builds it.
export { packEdrlake as default } from './install.ts';
