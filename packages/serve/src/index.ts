export { type PageOptions, type ServedPage, startPage } from './start-page.ts';
export { isLoopback } from './guard/allowed-host.ts';
export { readTokenFile } from './guard/token.ts';
