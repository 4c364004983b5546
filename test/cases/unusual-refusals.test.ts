import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runCommand } from '../e2e/command.ts';
import { type CaseGateway, type Scenario, startCaseGateway } from './gateway.ts';

const EVENTS = Array.from({ length: 25 }, (_, index) => ({
  id: `F_${index}`,
  type: 'FILE',
  dateTime: `2021-03-27T10:00:${String(index).padStart(2, '0')}.000+0000`,
  asset: { agentId: 'a' },
}));
const DAY = ['--from', '2021-03-27', '--to', '2021-03-27'];

let gateway: CaseGateway;
let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'edrlake-refusals-'));
});
afterEach(async () => {
  await gateway.close();
  await rm(directory, { recursive: true, force: true });
});

const backfill = (...more: string[]) =>
  runCommand(['backfill', ...DAY, '--base-url', gateway.url, '--lake', join(directory, 'lake'), ...more]);

describe('a resumed run whose first request is a page', () => {
  /** Refuses the last page of three: first like a firewall, then with 401; where `isLocked` with 401 for everything. */
  function refusing(isLocked: () => boolean): Scenario & { firstRun: boolean } {
    const scenario = {
      events: EVENTS,
      firstRun: true,
      answer: ({ kind, params, send }: Parameters<NonNullable<Scenario['answer']>>[0]) => {
        const isLastPage = kind === 'events' && params.get('pageNumber') === '2';
        if (!isLastPage && !(isLocked() && kind !== 'auth')) return false;
        if (scenario.firstRun) send(403, '<html>blocked</html>', { 'content-type': 'text/html' });
        else send(401, '{"message":"Unauthorized"}');
        return true;
      },
    };
    return scenario;
  }

  it('refused with 401 fails that window only, because a count is answered', async () => {
    const scenario = refusing(() => false);
    gateway = await startCaseGateway(scenario);
    expect((await backfill('--page-size', '10')).exitCode).toBe(3);
    scenario.firstRun = false;
    const counts = gateway.asked('count');
    const resumed = await backfill('--page-size', '10', '--json');
    expect(resumed.exitCode, resumed.stderr).toBe(3);
    const failed = [{ code: 'REQUEST_REFUSED' }];
    expect(JSON.parse(resumed.stdout)).toMatchObject({ resumed: true, windows: { failed } });
    expect(gateway.asked('count') - counts).toBe(1);
  });

  it('of an account that lost its role ends with advice to restore it', async () => {
    const scenario = refusing(() => !scenario.firstRun);
    gateway = await startCaseGateway(scenario);
    expect((await backfill('--page-size', '10')).exitCode).toBe(3);
    scenario.firstRun = false;
    const resumed = await backfill('--page-size', '10');
    expect(resumed.exitCode, resumed.stdout).toBe(2);
    expect(resumed.stderr).toContain('[ACCESS_DENIED]');
  });
});

describe('a gateway that pages less far than the documents say', () => {
  const tooFar = (limit: number, words: (reach: number) => string): Scenario => ({
    events: EVENTS,
    answer: ({ kind, params, send }) => {
      const reach = (Number(params.get('pageNumber')) + 1) * Number(params.get('pageSize'));
      if (kind !== 'events' || reach <= limit) return false;
      send(400, words(reach));
      return true;
    },
  });
  const elastic = (limit: number) => (reach: number) =>
    `{"error":{"root_cause":[{"type":"illegal_argument_exception","reason":"Result window is too large, from + size must be less than or equal to: [${limit}] but was [${reach}]."}]},"status":400}`;

  it.each([
    ['names its limit', 10, elastic(10)],
    ['names none', 10, () => '{"message":"Result window is too large"}'],
    ['names one below a page', 3, elastic(3)],
    ['names none, and it is below a page', 3, () => '{"message":"Result window is too large"}'],
  ])('is asked for smaller windows where it %s', async (_, limit, words) => {
    gateway = await startCaseGateway(tooFar(limit, words));
    const ended = await backfill('--page-size', '5', '--max-result-window', '20');
    expect(ended.exitCode, ended.stdout).toBe(0);
    expect(ended.stdout).toContain('25 new');
    if (limit >= 5) expect(ended.stderr).toContain('--max-result-window 10');
    // This gateway ignores the order of pages, so that full windows are divided to see their end.
    expect(gateway.asked('events')).toBeLessThan(60);
  });
});

describe('a gateway that refuses the order of pages', () => {
  it.each([
    ['does not know the parameter', '{"message":"Unknown query parameter: sort"}'],
    ['does not know the field', '{"reason":"No mapping found for [event.dateTime] in order to sort on"}'],
    ['cannot sort by the field', '{"reason":"Fielddata is disabled on [event.dateTime] in [events]"}'],
  ])('because it %s: the filter is not blamed', async (_, words) => {
    gateway = await startCaseGateway({
      events: EVENTS,
      answer: ({ kind, send }) => {
        if (kind === 'events') send(400, words);
        return kind === 'events';
      },
    });
    const ended = await backfill();
    expect(ended.exitCode).toBe(2);
    const said = ended.stderr.replace(/\s+/g, ' ');
    expect(said).toContain('the order of the pages was refused');
    expect(said).toContain('edrlake doctor');
    expect(said).not.toContain('Check the filter');
    expect(said).toContain('[SORT_REJECTED]');
  });
});
