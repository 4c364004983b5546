import { countText, durationText, nounText } from '@edrlake/core';
import type { HookTest, PipelineDescription, TaskDescription } from '@edrlake/runner';
import { pairsText } from '../text/table-text.ts';
import { wrapWords } from '../text/text-width.ts';

/** A pipeline that is not run: its tasks in order, what each waits for and what it would do. */
export function descriptionText(description: PipelineDescription, width: number): string {
  const { name, description: about, schedule, params, tasks, hooks } = description;
  const values = Object.entries(params).map(([param, value]) => `${param}=${value === null ? '' : String(value)}`);
  const pairs: [string, string][] = [['Pipeline', name]];
  if (schedule !== null) {
    pairs.push(['Schedule', `${schedule.cron} in ${schedule.timeZone}`]);
  }
  if (values.length > 0) pairs.push(['Params', values.join(' ')]);
  const parts = [pairsText(pairs, '', width)];
  if (about !== null) parts.push('', ...wrapWords(about, width));
  for (const [position, task] of tasks.entries()) parts.push('', ...taskLines(task, position + 1, width));
  if (hooks.length > 0) {
    const hosts = hooks.map(({ hook, host }): [string, string] => [hook, `POST to ${host}`]);
    parts.push('', 'Hooks', pairsText(hosts, '   ', width), '   edrlake run … --test-hooks sends a message to each.');
  }
  return `${[...parts, '', 'Nothing was run.'].join('\n')}\n`;
}

/** Whether the test message of each hook arrived. */
export function hookTestsText(tests: readonly HookTest[], width: number): string {
  const lines = tests.map(({ hook, host, status, reason }): [string, string] => [
    hook,
    reason === null ? `delivered to ${host}, HTTP ${status}` : `not delivered to ${host}: ${reason}`,
  ]);
  return `${pairsText(lines, '', width)}\n`;
}

function taskLines(task: TaskDescription, position: number, width: number): string[] {
  const { name, uses, needs, when, retries, timeoutMs, fansOut, partitions, wouldDo } = task;
  const indent = '   ';
  const facts = [
    ...(needs.length > 0 ? [`after ${needs.join(', ')}`] : []),
    ...(when === 'success' ? [] : [when === 'always' ? 'however they end' : 'only if one ends badly']),
    ...(fansOut ? [partitions === null ? 'in parts known later' : `in ${nounText(partitions.length, 'part')}`] : []),
    ...(retries.attempts > 1 ? [nounText(retries.attempts, 'attempt')] : []),
    ...(timeoutMs === null ? [] : [`at most ${durationText(timeoutMs)}`]),
  ];
  const head = `${countText(position)}. ${name}${uses === null || uses === name ? '' : ` (${uses})`}`;
  const what =
    wouldDo ?? (uses === null ? 'a function of the pipeline file' : 'known once the tasks before it have run');
  return [
    head,
    ...[facts.join(', '), what]
      .filter((text) => text !== '')
      .flatMap((text) => wrapWords(text, width - 3).map((line) => `${indent}${line}`)),
  ];
}
