// Fails when a dependency we ship has a known vulnerability of high or critical severity. A registry without an audit
// endpoint is no finding: it is noted.
import { spawnSync } from 'node:child_process';

const { stdout } = spawnSync('npm', ['audit', '--omit=dev', '--json'], { encoding: 'utf8' });
const answer = JSON.parse(stdout.trim() || '{}');
const counts = answer.metadata?.vulnerabilities;

if (counts === undefined) {
  console.log(`note: the registry answered no audit (${answer.message ?? answer.error?.summary ?? 'no reason given'})`);
} else {
  const serious = Object.values(answer.vulnerabilities).filter(({ severity }) => /^(?:high|critical)$/.test(severity));
  for (const { name, severity, range } of serious) console.log(`${severity}: ${name} ${range}`);
  console.log(
    Object.entries(counts)
      .map(([severity, count]) => `${count} ${severity}`)
      .join(', '),
  );
  process.exitCode = serious.length > 0 ? 1 : 0;
}
