import { readFileSync, writeFileSync } from 'node:fs';

// Loaded with `node --import` before a measured program: writes the resources that the process used into the file that
// EDRLAKE_BENCH_USAGE names.

/** Clock ticks a second in /proc, the same on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

/** CPU seconds of children that have ended, and the largest memory of this process. Linux only. */
function fromProc(): { readonly childCpuSeconds: number; readonly peakBytes: number | null } {
  try {
    // The name of the program, in parentheses, may contain spaces.
    const fields = (readFileSync('/proc/self/stat', 'utf8').split(') ').at(-1) ?? '').split(' ');
    const childCpuSeconds = (Number(fields[13]) + Number(fields[14])) / TICKS_PER_SECOND;
    const peakKib = /VmHWM:\s*(\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
    return { childCpuSeconds, peakBytes: peakKib === undefined ? null : Number(peakKib) * 1024 };
  } catch {
    return { childCpuSeconds: 0, peakBytes: null };
  }
}

const file = process.env.EDRLAKE_BENCH_USAGE;
// Programs that this one starts are not measured themselves.
delete process.env.EDRLAKE_BENCH_USAGE;
process.once('exit', () => {
  if (file === undefined) return;
  const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
  const { childCpuSeconds, peakBytes } = fromProc();
  writeFileSync(
    file,
    JSON.stringify({
      cpuSeconds: (userCPUTime + systemCPUTime) / 1e6 + childCpuSeconds,
      peakBytes: peakBytes ?? maxRSS * 1024,
    }),
  );
});
