import { countText, durationText, nounText } from '@edrlake/core/quantities';
import { Fragment } from 'preact';
import type { RunDocument, TaskLine } from '../../../src/documents/documents.ts';
import { useLoaded } from '../api.ts';
import { instant } from '../format.ts';
import { Page, Problem, Table, Waiting } from '../parts/parts.tsx';
import { Progress, RunState } from '../parts/run-parts.tsx';

/** One run: its tasks, attempts and errors, and how far it is. */
export function RunView({ id, turn }: { id: string; turn: number }) {
  const { data, refused } = useLoaded<RunDocument>(`/api/runs/${encodeURIComponent(id)}`, turn);
  if (data === null) return <Waiting title={id} refused={refused} />;
  return (
    <Page
      title={data.pipeline === null ? `Export ${id}` : `${data.pipeline} ${id}`}
      about={<a href="#/runs">All runs</a>}
    >
      {refused !== null && <Problem refused={refused} />}
      <section class="card" aria-label="Summary">
        <Facts run={data} />
        {data.state === 'running' && (
          <div style={{ marginTop: '0.8rem' }}>
            <Progress progress={data.progress} />
          </div>
        )}
      </section>
      {data.error !== null && (
        <div class="error">
          <pre>{data.error.message}</pre>
          <p class="soft small">[{data.error.code}]</p>
        </div>
      )}
      {data.tasks.length > 0 && (
        <section class="card" aria-labelledby="tasks">
          <h2 id="tasks">{nounText(data.tasks.length, 'task')}</h2>
          <Graph tasks={data.tasks} />
          <Tasks tasks={data.tasks} />
        </section>
      )}
    </Page>
  );
}

function Facts({ run }: { run: RunDocument }) {
  const params = Object.entries(run.params).map(([name, value]) => `${name}=${String(value ?? '')}`);
  const { progress } = run;
  return (
    <dl class="facts">
      <dt>State</dt>
      <dd>
        <RunState state={run.state} />
      </dd>
      <dt>Started</dt>
      <dd>
        {instant(run.startedAt)}
        {run.starts > 1 && `, ${nounText(run.starts, 'time')}`}
      </dd>
      <dt>Ended</dt>
      <dd>{instant(run.endedAt)}</dd>
      <dt>Took</dt>
      <dd>{durationText(run.durationMs)}</dd>
      <dt>Requests</dt>
      <dd>{run.requests === null ? 'not known' : countText(run.requests)}</dd>
      <dt>Rows</dt>
      <dd>{run.rows === null ? 'not known' : `${countText(run.rows)} new or changed`}</dd>
      {progress !== null && progress.windows !== null && (
        <>
          <dt>Windows</dt>
          <dd>
            {countText(progress.windowsDone)} of {countText(progress.windows)} committed
            {progress.windowsFailed > 0 && `, ${countText(progress.windowsFailed)} failed`}
          </dd>
        </>
      )}
      {params.length > 0 && (
        <>
          <dt>Params</dt>
          <dd class="mono">{params.join(' ')}</dd>
        </>
      )}
      {run.hooks.map(({ hook, delivered, attempts, reason }) => (
        <Fragment key={hook}>
          <dt>{hook}</dt>
          <dd>
            {delivered ? 'delivered' : 'not delivered'}, {nounText(attempts, 'attempt')}
            {reason !== null && `: ${reason}`}
          </dd>
        </Fragment>
      ))}
      {run.partOf !== null && (
        <>
          <dt>Part of</dt>
          <dd>
            <a href={`#/runs/${run.partOf}`}>{run.partOf}</a>
          </dd>
        </>
      )}
    </dl>
  );
}

const [BOX, TALL, GAP_X, GAP_Y] = [170, 44, 46, 14];

/** Tasks from left to right in the order in which they can run. */
function Graph({ tasks }: { tasks: readonly TaskLine[] }) {
  const level = new Map<string, number>();
  for (const { name, needs } of tasks) level.set(name, Math.max(-1, ...needs.map((need) => level.get(need) ?? 0)) + 1);
  const rows = new Map<number, number>();
  const places = new Map(
    tasks.map(({ name }) => {
      const column = level.get(name) ?? 0;
      const row = rows.get(column) ?? 0;
      rows.set(column, row + 1);
      return [name, { x: column * (BOX + GAP_X), y: row * (TALL + GAP_Y) }];
    }),
  );
  const width = (Math.max(...level.values()) + 1) * (BOX + GAP_X) - GAP_X;
  const height = Math.max(...rows.values()) * (TALL + GAP_Y) - GAP_Y;
  return (
    <div class="scroll" style={{ marginBottom: '0.9rem' }}>
      <svg
        class="graph"
        style={{ minWidth: `${Math.min(width, 640)}px`, maxWidth: `${width + 2}px` }}
        viewBox={`-1 -1 ${width + 2} ${height + 2}`}
        role="img"
        aria-label={tasks
          .map(({ name, needs, state }) => `${name} ${state}${needs.length > 0 ? ` after ${needs.join(' and ')}` : ''}`)
          .join('; ')}
      >
        {tasks.flatMap(({ name, needs }) =>
          needs.map((need) => {
            const [from, to] = [places.get(need), places.get(name)];
            if (from === undefined || to === undefined) return null;
            const [x1, y1, x2, y2] = [from.x + BOX, from.y + TALL / 2, to.x, to.y + TALL / 2];
            return <path d={`M${x1} ${y1}C${x1 + 22} ${y1} ${x2 - 22} ${y2} ${x2} ${y2}`} />;
          }),
        )}
        {tasks.map((task) => {
          const { x, y } = places.get(task.name) ?? { x: 0, y: 0 };
          return (
            <g transform={`translate(${x} ${y})`}>
              <rect width={BOX} height={TALL} rx={7} />
              <text x={10} y={19}>
                {task.name}
              </text>
              <text class="small-text" x={10} y={35}>
                {task.state}
                {task.attempts > 0 ? `, ${durationText(task.durationMs)}` : ''}
              </text>
            </g>
          );
        })}
      </svg>
    </div>
  );
}

function Tasks({ tasks }: { tasks: readonly TaskLine[] }) {
  const parts = tasks.flatMap((task) => (task.parts ?? []).map((part) => ({ task: task.name, ...part })));
  const bad = parts.filter(({ error }) => error !== null);
  return (
    <>
      <Table
        label="Tasks"
        rows={tasks}
        columns={[
          { title: 'task', cell: ({ name }) => name },
          { title: 'state', cell: ({ state }) => <RunState state={state} /> },
          { title: 'parts', right: true, cell: (task) => (task.parts === null ? '' : countText(task.parts.length)) },
          { title: 'attempts', right: true, cell: ({ attempts }) => countText(attempts) },
          {
            title: 'took',
            right: true,
            cell: ({ attempts, durationMs }) => (attempts === 0 ? '' : durationText(durationMs)),
          },
          { title: 'requests', right: true, cell: ({ requests }) => countText(requests) },
          { title: 'rows', right: true, cell: ({ rows }) => countText(rows) },
          { title: 'error', cell: ({ error }) => (error === null ? '' : `${error.message} [${error.code}]`) },
        ]}
      />
      {bad.length > 0 && (
        <>
          <h2 style={{ margin: '1rem 0 0.5rem' }}>{nounText(bad.length, 'part')} with an error</h2>
          <Table
            label="Parts with an error"
            tall
            rows={bad.slice(0, 200)}
            columns={[
              { title: 'task', cell: ({ task }) => task },
              { title: 'part', class: 'nowrap', cell: ({ partition }) => partition },
              { title: 'state', cell: ({ state }) => <RunState state={state} /> },
              { title: 'attempts', right: true, cell: ({ attempts }) => countText(attempts) },
              { title: 'error', cell: ({ error }) => `${error?.message} [${error?.code}]` },
            ]}
          />
        </>
      )}
    </>
  );
}
