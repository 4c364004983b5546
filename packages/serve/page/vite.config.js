import { defineConfig } from 'vite';

export default defineConfig({
  root: import.meta.dirname,
  base: '/',
  cacheDir: '../dist/.vite',
  build: {
    outDir: '../dist/page',
    emptyOutDir: true,
    // The policy of the page allows no inline code, and images only from the server or as data.
    modulePreload: { polyfill: false },
    target: 'es2022',
    // One request each: the page is small, and an early chunk saves nothing over loopback.
    cssCodeSplit: false,
  },
});
