import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseRange } from '@edrlake/core';
import { startSimulator } from '@edrlake/simulator';
import { expect, it } from 'vitest';
import { inFreshDirectory, runCommand } from '../e2e/command.ts';

const DAY = ['--from', '2020-08-17', '--to', '2020-08-17'];

it('an OAuth client exports, and the doctor says of which level it is', async () => {
  const clientSecret = 'not-in/any=message';
  const simulator = await startSimulator({
    events: 300,
    range: parseRange('2020-08-17', '2020-08-17'),
    oauthClient: { clientId: 'lake-export', clientSecret, level: 'subscription' },
  });
  try {
    await inFreshDirectory(async (directory) => {
      await writeFile(join(directory, 'client-secret'), `${clientSecret}\r\n`);
      const account = { EDRLAKE_USERNAME: '', EDRLAKE_PASSWORD: '', EDRLAKE_CLIENT_ID: 'lake-export' };
      const env = { ...account, EDRLAKE_CLIENT_SECRET_FILE: 'client-secret' };
      const run = (...args: string[]) => runCommand([...args, '--base-url', simulator.url], { cwd: directory, env });
      const exported = await run('backfill', ...DAY);
      expect(exported.exitCode, exported.stderr).toBe(0);
      expect(exported.stdout).toContain('300 new');
      const doctor = await run('doctor', ...DAY);
      expect(doctor.stdout.replace(/\s+/g, ' ')).toContain(
        'OAuth client of subscription level (POST /auth/oauth) lake-export at 127.0.0.1',
      );
      // One token for each of the two commands; the level is the second that is tried.
      expect(simulator.calls.of('auth').map(({ path, status }) => `${path} ${status}`)).toEqual([
        '/auth/oidc 401',
        '/auth/oauth 201',
        '/auth/oidc 401',
        '/auth/oauth 201',
      ]);
      const wrongLevel = await run('backfill', ...DAY, '--oauth-level', 'user');
      expect({ exitCode: wrongLevel.exitCode, code: /\[AUTH_REJECTED\]/.test(wrongLevel.stderr) }).toEqual({
        exitCode: 2,
        code: true,
      });
      for (const { stdout, stderr } of [exported, doctor, wrongLevel])
        expect(stdout + stderr).not.toContain(clientSecret);
    });
  } finally {
    await simulator.close();
  }
});
