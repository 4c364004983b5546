import { countText, durationText, nounText } from '@edrlake/core/quantities';
import { useState } from 'preact/hooks';
import type { RunsDocument } from '../../../src/documents/documents.ts';
import { useLoaded } from '../api.ts';
import { instant } from '../format.ts';
import { Page, Problem, Table, Waiting } from '../parts/parts.tsx';
import { Progress, RunState } from '../parts/run-parts.tsx';

type Line = RunsDocument['runs'][number];

/** The newest runs, and a choice of two to compare. */
export function RunsView({ turn }: { turn: number }) {
  const { data, refused } = useLoaded<RunsDocument>('/api/runs', turn);
  const [chosen, setChosen] = useState<readonly string[]>([]);
  if (data === null) return <Waiting title="Runs" refused={refused} />;
  const choose = (id: string) =>
    setChosen((old) => (old.includes(id) ? old.filter((other) => other !== id) : [...old, id].slice(-2)));
  const working = data.runs.filter(({ state }) => state === 'running');
  return (
    <Page title="Runs" about={`the newest ${countText(data.runs.length)}, as far as their journals are kept`}>
      {refused !== null && <Problem refused={refused} />}
      <section class="card" aria-labelledby="now">
        <h2 id="now">{working.length === 0 ? 'Nothing runs now' : `${nounText(working.length, 'run')} at work`}</h2>
        {working.map((run) => (
          <Working run={run} now={data.now} />
        ))}
        {working.length === 0 && <p class="soft small">A run that begins shows up here within a second.</p>}
      </section>
      <section class="card" aria-labelledby="all">
        <header>
          <h2 id="all">{nounText(data.runs.length, 'run')}</h2>
          <span class="row">
            <span class="soft small">
              {chosen.length < 2 ? 'Tick two runs to compare them.' : `${chosen[0]} and ${chosen[1]}`}
            </span>
            <button
              type="button"
              disabled={chosen.length < 2}
              onClick={() => {
                location.hash = `#/runs/${chosen[0]}/with/${chosen[1]}`;
              }}
            >
              Compare
            </button>
          </span>
        </header>
        <Table<Line>
          label="Runs"
          rows={data.runs}
          columns={[
            {
              title: 'compare',
              cell: ({ runId }) => (
                <input
                  type="checkbox"
                  aria-label={`Compare ${runId}`}
                  checked={chosen.includes(runId)}
                  onChange={() => choose(runId)}
                />
              ),
            },
            { title: 'run', class: 'nowrap', cell: ({ runId }) => <a href={`#/runs/${runId}`}>{runId}</a> },
            {
              title: 'what',
              cell: (run) => `${run.pipeline ?? run.kind}${run.partOf === null ? '' : ', part of another'}`,
            },
            { title: 'state', cell: ({ state }) => <RunState state={state} /> },
            { title: 'started', class: 'nowrap', cell: ({ startedAt }) => instant(startedAt) },
            { title: 'took', right: true, cell: ({ durationMs }) => durationText(durationMs) },
            { title: 'requests', right: true, cell: ({ requests }) => (requests === null ? '–' : countText(requests)) },
            { title: 'rows', right: true, cell: ({ rows }) => (rows === null ? '–' : countText(rows)) },
          ]}
        />
      </section>
    </Page>
  );
}

function Working({ run, now }: { run: Line; now: string }) {
  return (
    <div style={{ display: 'grid', gap: '0.35rem', marginTop: '0.4rem' }}>
      <div class="row">
        <a href={`#/runs/${run.runId}`}>{run.runId}</a>
        <span>{run.pipeline ?? run.kind}</span>
        <span class="soft small">for {durationText(Date.parse(now) - Date.parse(run.startedAt))}</span>
      </div>
      <Progress progress={run.progress} />
    </div>
  );
}
