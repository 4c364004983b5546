import { execFile } from 'node:child_process';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';

test('the command of a clone that was not built says what to run', async () => {
  const clone = await mkdtemp(join(tmpdir(), 'edrlake-unbuilt-'));
  onTestFinished(() => rm(clone, { recursive: true }));
  await cp(join(import.meta.dirname, '../bin'), join(clone, 'bin'), { recursive: true });
  await cp(join(import.meta.dirname, '../package.json'), join(clone, 'package.json'));
  const { code, stderr } = await new Promise<{ code: unknown; stderr: string }>((resolve) => {
    execFile(process.execPath, [join(clone, 'bin/edrlake.js'), 'status'], (error, _stdout, text) =>
      resolve({ code: error?.code, stderr: text }),
    );
  });
  expect(stderr).toContain('npm run build');
  expect(stderr).not.toContain(' at ');
  expect(code).toBe(2);
});
