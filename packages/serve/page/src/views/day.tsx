import { bytesText, countText, nounText } from '@edrlake/core/quantities';
import type { DayDocument, WindowLine } from '../../../src/documents/documents.ts';
import { useLoaded } from '../api.ts';
import { instant } from '../format.ts';
import { Command, Page, Problem, StateBadge, Table, Waiting } from '../parts/parts.tsx';

/** One UTC day: its state and why, the command that corrects it, its hours, and the API's counts against the lake. */
export function DayView({ day, turn }: { day: string; turn: number }) {
  const { data, refused } = useLoaded<DayDocument>(`/api/days/${encodeURIComponent(day)}`, turn);
  if (data === null) return <Waiting title={day} refused={refused} />;
  return (
    <Page title={day} about={<Neighbours day={day} />}>
      {refused !== null && <Problem refused={refused} />}
      <section class="card" aria-label="Why">
        <header>
          <StateBadge state={data.state} />
        </header>
        <div class="why">
          {data.why.map((sentence) => (
            <p>{sentence}</p>
          ))}
        </div>
        {data.command !== null && (
          <div style={{ marginTop: '0.9rem' }}>
            <p class="soft small" style={{ marginBottom: '0.3rem' }}>
              This puts it right:
            </p>
            <Command text={data.command} />
          </div>
        )}
      </section>
      <div class="columns">
        <section class="card" aria-labelledby="hours">
          <h2 id="hours">Hours, in the lake</h2>
          <Hours hours={data.hours} />
        </section>
        <section class="card" aria-labelledby="counts">
          <h2 id="counts">The API against the lake</h2>
          <Counts data={data} />
        </section>
      </div>
      <section class="card" aria-labelledby="windows">
        <h2 id="windows">{nounText(data.windows.length + data.windowsLeft, 'window')} with a proof</h2>
        {data.windows.length > 0 && <Windows windows={data.windows} />}
        {data.windowsLeft > 0 && (
          <p class="soft small">… and {countText(data.windowsLeft)} more in the table windows</p>
        )}
      </section>
      <div class="columns">
        <section class="card" aria-labelledby="files">
          <h2 id="files">{nounText(data.files.length, 'file')}</h2>
          {data.files.length > 0 && (
            <Table
              label="Files"
              tall
              rows={data.files}
              columns={[
                { title: 'file', class: 'path', cell: ({ path }) => path },
                { title: 'rows', right: true, cell: ({ rows }) => countText(rows) },
                { title: 'size', right: true, cell: (file) => (file.isLost ? 'gone or cut' : bytesText(file.bytes)) },
              ]}
            />
          )}
        </section>
        <section class="card" aria-labelledby="runs">
          <h2 id="runs">{nounText(data.runs.length, 'run')} that proved something of it</h2>
          {data.runs.length > 0 && (
            <Table
              label="Runs"
              rows={data.runs}
              columns={[
                {
                  title: 'run',
                  class: 'nowrap',
                  cell: (run) => (run.isKept ? <a href={`#/runs/${run.runId}`}>{run.runId}</a> : run.runId),
                },
                { title: 'windows', right: true, cell: ({ windows }) => countText(windows) },
                { title: 'last commit', class: 'nowrap', cell: ({ committedAt }) => instant(committedAt) },
              ]}
            />
          )}
        </section>
      </div>
    </Page>
  );
}

function Neighbours({ day }: { day: string }) {
  const at = (step: number) => new Date(Date.parse(day) + step * 86_400_000).toISOString().slice(0, 10);
  if (Number.isNaN(Date.parse(day))) return null;
  return (
    <span class="row">
      <a href={`#/day/${at(-1)}`} aria-label={`The day before, ${at(-1)}`}>
        ← {at(-1)}
      </a>
      <a href="#/">Calendar</a>
      <a href={`#/day/${at(1)}`} aria-label={`The day after, ${at(1)}`}>
        {at(1)} →
      </a>
    </span>
  );
}

const [WIDTH, HEIGHT, LEFT, FOOT] = [720, 190, 52, 18];

function Hours({ hours }: { hours: readonly number[] }) {
  const most = Math.max(1, ...hours);
  const step = (WIDTH - LEFT) / 24;
  const y = (value: number) => HEIGHT - FOOT - (value / most) * (HEIGHT - FOOT - 10);
  const total = hours.reduce((sum, value) => sum + value, 0);
  const busiest = hours.indexOf(Math.max(...hours));
  const label =
    total === 0
      ? 'The lake holds nothing of this day.'
      : `${nounText(total, 'record')} in 24 hours, most in hour ${busiest}: ${countText(most)}.`;
  return (
    <>
      <svg class="bars" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label={label}>
        {[0, 0.5, 1].map((share) => (
          <>
            <line x1={LEFT} x2={WIDTH} y1={y(most * share)} y2={y(most * share)} />
            {(share > 0 || total > 0) && (
              <text x={LEFT - 8} y={y(most * share) + 4} text-anchor="end">
                {total === 0 ? '' : countText(Math.round(most * share))}
              </text>
            )}
          </>
        ))}
        {hours.map((value, hour) => (
          <rect x={LEFT + hour * step + 2} y={y(value)} width={step - 4} height={HEIGHT - FOOT - y(value)} rx={1.5}>
            <title>{`${String(hour).padStart(2, '0')}:00 UTC: ${countText(value)}`}</title>
          </rect>
        ))}
        {[0, 6, 12, 18].map((hour) => (
          <text x={LEFT + hour * step + 2} y={HEIGHT - 3}>
            {String(hour).padStart(2, '0')}:00
          </text>
        ))}
      </svg>
      <p class="soft small">{label} The API is counted by window, not by hour: each window below has both numbers.</p>
    </>
  );
}

function Counts({ data }: { data: DayDocument }) {
  const { lines, compared } = data;
  if (lines.length === 0 && compared === null) return <p class="soft">Nothing of this day was ever counted.</p>;
  return (
    <>
      {lines.length > 0 && (
        <Table
          label="Counts"
          rows={lines}
          columns={[
            { title: 'scope', cell: ({ scope }) => scope },
            { title: 'API', right: true, cell: ({ counted }) => (counted === null ? '–' : countText(counted)) },
            { title: 'lake, by its log', right: true, cell: ({ inLake }) => countText(inLake) },
            { title: 'rejects', right: true, cell: ({ rejected, undated }) => countText(rejected + undated) },
            { title: 'verdict', cell: ({ verdict }) => verdict },
            { title: 'verified', class: 'nowrap', cell: ({ lastVerifiedAt }) => instant(lastVerifiedAt) },
          ]}
        />
      )}
      <p class="soft small" style={{ marginTop: '0.6rem' }}>
        {compared === null
          ? 'Not compared again since: edrlake reconcile does that.'
          : `Last compared ${instant(compared.at)}: ${compared.verdict}, the API had ${countText(compared.inApi)}.`}
      </p>
    </>
  );
}

function Windows({ windows }: { windows: readonly WindowLine[] }) {
  return (
    <Table
      label="Windows"
      tall
      rows={windows}
      columns={[
        { title: 'from', class: 'nowrap', cell: ({ from }) => instant(from) },
        { title: 'to', class: 'nowrap', cell: ({ to }) => instant(to) },
        { title: 'API', right: true, cell: ({ counted }) => countText(counted) },
        {
          title: 'fetched',
          right: true,
          cell: ({ fetched, comparedOnly }) => (comparedOnly ? 'compared' : countText(fetched)),
        },
        { title: 'lake now', right: true, cell: ({ inLake }) => (inLake === null ? '–' : countText(inLake)) },
        { title: 'of this day', right: true, cell: ({ ofThisDay }) => countText(ofThisDay) },
        { title: 'rejects', right: true, cell: ({ rejected }) => countText(rejected) },
        {
          title: 'verdict',
          cell: (window) => (window.axis === 'event' ? window.verdict : `${window.verdict}, by processing`),
        },
        { title: 'verified', class: 'nowrap', cell: ({ verifiedAt }) => instant(verifiedAt) },
      ]}
    />
  );
}
