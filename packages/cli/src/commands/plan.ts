import { bothClocks, EdrlakeError, isoInstant, MS_PER_SECOND, refuseFuture, sum } from '@edrlake/core';
import type { ExportPlan, Services } from '@edrlake/runner';
import { type CommandInput, defineCommand } from '../args/command.ts';
import { GATEWAY, LAKE, OUTPUT, PLATFORM, PROGRESS, RANGE } from '../args/option-groups.ts';
import type { FlagValues } from '../args/options.ts';
import { lineWidth, type ProcessContext, writeMessage } from '../process/process-context.ts';
import { startDisplay } from '../progress/progress-display.ts';
import { type PlanView, planText } from '../render/plan-text.ts';
import { requiredRange, scopeOf, withConnection } from '../session/connection-settings.ts';
import { lakeDirectory, lakeOptions } from '../session/lake-access.ts';
import { spanOf } from '../text/format-numbers.ts';
import { writeJson } from '../text/json-output.ts';

/** The limit of a standard subscription: the duration is shown for it. */
const STANDARD_LIMIT = { requests: 300, windowSeconds: 3_600 };

/** `edrlake plan` */
export const command = defineCommand({
  command: 'plan',
  describe: 'Show windows, requests and duration of an export',
  details: ['Fetches counts only, no events. The counting requests are part of what an export needs.'],
  flags: [...RANGE, 'all', ...GATEWAY, ...PLATFORM, ...LAKE, ...OUTPUT, ...PROGRESS],
  flagTexts: {
    lake: { describe: 'Lake whose proven windows are left out of what is still to do', defaultText: './lake' },
  },
  examples: [
    { command: 'edrlake plan --from 2020-08-17 --to 2020-08-19', purpose: 'three days' },
    { command: 'edrlake plan --from 2020-08-17 --to 2020-08-17 --all --json', purpose: 'every window, for a script' },
  ],
  run,
});

/** Counts, cuts and shows what an export would ask for. Fetches no event. */
async function run(input: CommandInput, context: ProcessContext): Promise<number> {
  const { values } = input;
  const range = requiredRange(values, 'plan');
  refuseFuture('--from', range.startMs, bothClocks(context.clock.nowMs(), null));
  const display = startDisplay(values, context);
  let view: PlanView;
  try {
    view = await withConnection(
      values,
      context,
      { command: 'plan', emit: display.emit },
      async (connection, services) => {
        const { planExport } = await import('@edrlake/runner');
        const plan = await planExport(
          connection.source,
          { axis: 'event', ranges: [{ range }], scope: scopeOf(values) },
          services,
        );
        const { requests, windowSeconds, fromHeaders } = connection.client.limits();
        return {
          plan,
          proven: await provenOf(plan, values, context, services),
          pageSize: connection.source.pageSize,
          requestsMade: connection.requestsMade(),
          standardMs: durationAtLimitMs(plan, STANDARD_LIMIT),
          advertised: fromHeaders ? { requests, windowSeconds } : null,
          advertisedMs: fromHeaders ? durationAtLimitMs(plan, { requests, windowSeconds }) : null,
        };
      },
    );
  } finally {
    display.stop();
  }
  if (values.json) await writeJson(context.stdout, planDocument(view));
  else await writeMessage(context, planText(view, values.all, lineWidth(context.stdout, context.env)));
  return 0;
}

/** How much of a plan the lake holds already; null where there is no lake yet. */
async function provenOf(
  plan: ExportPlan,
  values: FlagValues,
  context: ProcessContext,
  services: Services,
): Promise<PlanView['proven']> {
  const directory = lakeDirectory(values, context);
  const { openEdrLake, coveredWindows } = await import('@edrlake/runner');
  const lake = await openEdrLake(directory, lakeOptions(values, context, 'read'), services).catch((thrown) => {
    if (thrown instanceof EdrlakeError && thrown.code === 'LAKE_MISSING') return null;
    throw thrown;
  });
  if (lake === null) return null;
  try {
    const proven = await coveredWindows(plan.windowPlan.windows, plan.request, lake);
    return { windows: proven.size, events: sum(proven, ({ count }) => count) };
  } finally {
    await lake.close();
  }
}

/** Duration of the requests when the limit is used in full. */
function durationAtLimitMs(
  plan: ExportPlan,
  limit: { readonly requests: number; readonly windowSeconds: number },
): number {
  return (plan.requests.planned / limit.requests) * limit.windowSeconds * MS_PER_SECOND;
}

function planDocument(view: PlanView) {
  const { plan } = view;
  return {
    range: isoRange(spanOf(plan.request)),
    frozenAt: plan.frozenAtMs === null ? null : isoInstant(plan.frozenAtMs),
    filter: plan.request.scope.filter,
    state: plan.request.scope.state,
    events: plan.windowPlan.events,
    pageSize: view.pageSize,
    inLake: view.proven,
    requests: { ...plan.requests, madeForPlanning: view.requestsMade },
    durationSeconds: {
      atStandardLimit: Math.ceil(view.standardMs / MS_PER_SECOND),
      atAdvertisedLimit: view.advertisedMs === null ? null : Math.ceil(view.advertisedMs / MS_PER_SECOND),
    },
    limit: { standard: STANDARD_LIMIT, advertised: view.advertised },
    windows: plan.windowPlan.windows.map(({ window, count }) => ({
      id: window.id,
      ...isoRange(window.range),
      cuts: window.cuts,
      count,
    })),
    uncounted: plan.uncounted.map(({ range, ...rest }) => ({ ...rest, ...isoRange(range) })),
    emptyWindows: plan.windowPlan.emptyWindows.map(({ id, range, cuts }) => ({ id, ...isoRange(range), cuts })),
  };
}

function isoRange(range: { readonly startMs: number; readonly endMs: number }) {
  return { from: new Date(range.startMs).toISOString(), to: new Date(range.endMs).toISOString() };
}
