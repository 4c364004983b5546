import { bytesText, countText, durationText, nounText } from '@edrlake/core/quantities';
import { DAY_STATE_NAMES, DAY_STATES } from '@edrlake/runner/states';
import type { CoverageDocument, HuntsLine, QuietDocument } from '../../../src/documents/documents.ts';
import { useLoaded } from '../api.ts';
import { ago, dayText } from '../format.ts';
import { HuntLists } from '../parts/hunt-lists.tsx';
import { Command, Page, Problem, StateBadge, Swatch, Table, Tile, Waiting, When } from '../parts/parts.tsx';
import { Calendar } from './calendar.tsx';

/** What the lake holds, its days by state, and what to do next. */
export function CoverageView({ turn }: { turn: number }) {
  const { data, refused } = useLoaded<CoverageDocument>('/api/coverage', turn);
  if (data === null) return <Waiting title="Coverage" refused={refused} />;
  const days = Object.values(data.counts).reduce((sum, value) => sum + value, 0);
  const scope = data.scope === 'all' ? '' : `, only ${data.scope}`;
  return (
    <Page title="Coverage" about={<span class="mono">{data.lake}</span>}>
      {refused !== null && <Problem refused={refused} />}
      <Tiles data={data} days={days} />
      <section class="card" aria-label="Calendar">
        <header>
          <h2>
            {nounText(days, 'day')}
            {scope}
          </h2>
          <Legend data={data} />
        </header>
        {days === 0 ? (
          <p class="soft">The lake is empty. Next: edrlake backfill --from … --to …</p>
        ) : (
          <Calendar spans={data.spans} />
        )}
      </section>
      {days > 0 && <ToDo data={data} />}
      {data.quiet !== null && data.quiet.findings.length > 0 && <Quiet quiet={data.quiet} />}
      {data.hunts !== null && <Hunts data={data} hunts={data.hunts} />}
      <Tables data={data} />
    </Page>
  );
}

function Tiles({ data, days }: { data: CoverageDocument; days: number }) {
  const { counts, budget, lastRun, now } = data;
  const bad = days - counts.complete - counts.open;
  const ran = lastRun === null ? 'none yet' : `${lastRun.pipeline ?? lastRun.kind} ${lastRun.state}`;
  return (
    <div class="tiles">
      <Tile
        name="Days complete"
        value={`${countText(counts.complete)} of ${countText(days)}`}
        more={bad === 0 ? 'nothing to look at' : `${nounText(bad, 'day')} to look at`}
        tone={bad === 0 ? 'good' : 'bad'}
      />
      <When name="Proven until" at={data.provenUntil} now={now} />
      <When name="Newest event" at={data.newestEventAt} now={now} />
      <Tile name="Last run" value={ran} more={ago(lastRun?.startedAt ?? null, now)} />
      <Tile
        name="Size"
        value={bytesText(data.bytes)}
        more={`${nounText(data.files, 'file')}, version ${countText(data.version)}`}
      />
      <Tile
        name="Requests left"
        value={budget === null ? '–' : countText(budget.requestsLeft)}
        more={
          budget === null
            ? 'none sent from here'
            : `of ${countText(budget.requests)} in ${durationText(budget.windowSeconds * 1_000)}`
        }
      />
    </div>
  );
}

/** Sources that fell silent, and days far below their expectation. */
function Quiet({ quiet }: { quiet: QuietDocument }) {
  const named = (text: string | null) => (text === null ? 'all' : text === '' ? '(none)' : text);
  return (
    <section class="card" aria-labelledby="quiet">
      <h2 id="quiet">Quiet</h2>
      <Table
        label="Sources and days that are quiet"
        rows={quiet.findings}
        columns={[
          { title: 'type', cell: ({ type }) => named(type) },
          { title: 'platform', cell: ({ platform }) => named(platform) },
          {
            title: 'when',
            cell: ({ since, day }) =>
              day === null ? `since ${since?.slice(0, 16)}Z` : <a href={`#/day/${day}`}>{day}</a>,
          },
          { title: 'events', right: true, cell: ({ events }) => countText(events) },
          { title: 'expected', right: true, cell: ({ expected }) => countText(expected) },
        ]}
      />
      <p class="soft small">Expected by {nounText(quiet.learnedDays, 'proven day')} before</p>
    </section>
  );
}

/** Lists that are always hunted. */
function Hunts({ data, hunts }: { data: CoverageDocument; hunts: HuntsLine }) {
  return (
    <section class="card" aria-labelledby="hunts">
      <h2 id="hunts">Hunts</h2>
      <HuntLists hunts={hunts} data={data} />
      <p>
        <a href="#/matches">All matches</a>
      </p>
    </section>
  );
}

function Legend({ data }: { data: CoverageDocument }) {
  return (
    <ul class="legend" aria-label="Days by state">
      {DAY_STATES.toReversed()
        .filter((state) => data.counts[state] > 0)
        .map((state) => (
          <li>
            <Swatch state={state} />
            <span class="num">
              {countText(data.counts[state])} {DAY_STATE_NAMES[state]}
            </span>
          </li>
        ))}
    </ul>
  );
}

function ToDo({ data }: { data: CoverageDocument }) {
  const { attention, attentionLeft } = data;
  return (
    <section class="card" aria-labelledby="todo">
      <h2 id="todo">{attention.length === 0 ? 'Nothing to do: every day is complete or still open' : 'To look at'}</h2>
      {attention.length > 0 && (
        <ul class="list">
          {attention.map((item) => (
            <li>
              <div>
                <a href={`#/day/${item.from}`}>{dayText(item.from, item.days)}</a>{' '}
                {item.days > 1 && <span class="soft small">{nounText(item.days, 'day')}</span>}
                <div>
                  <StateBadge state={item.state} />{' '}
                  {item.loss !== null && <strong class="small loss">{item.loss} </strong>}
                  {item.filesGone > 0 && (
                    <span class="soft small">files gone on {nounText(item.filesGone, 'day')}</span>
                  )}
                </div>
              </div>
              <Command text={item.command} />
            </li>
          ))}
        </ul>
      )}
      {attentionLeft > 0 && (
        <p class="soft small">… and {nounText(attentionLeft, 'earlier stretch', 'earlier stretches')}</p>
      )}
    </section>
  );
}

function Tables({ data }: { data: CoverageDocument }) {
  return (
    <section class="card" aria-labelledby="tables">
      <h2 id="tables">Tables</h2>
      <Table
        label="Tables of the lake"
        rows={data.tables}
        columns={[
          { title: 'table', cell: ({ table }) => table },
          { title: 'rows', right: true, cell: ({ rows }) => countText(rows) },
          { title: 'files', right: true, cell: ({ files }) => countText(files) },
          { title: 'size', right: true, cell: ({ bytes: size }) => bytesText(size) },
        ]}
      />
    </section>
  );
}
