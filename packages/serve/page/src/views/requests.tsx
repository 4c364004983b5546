import { countText, durationText, nounText } from '@edrlake/core/quantities';
import { useMemo, useState } from 'preact/hooks';
import type { RequestsDocument } from '../../../src/documents/documents.ts';
import { useLoaded } from '../api.ts';
import { instant } from '../format.ts';
import { Page, Problem, Table, Tile, Waiting } from '../parts/parts.tsx';
import { Plot } from '../parts/plot.tsx';

const SPANS = [
  [24, 'a day'],
  [24 * 7, 'a week'],
  [24 * 31, 'a month'],
] as const;

/** Requests left and when the next may go, and what was sent in each hour. */
export function RequestsView({ turn }: { turn: number }) {
  const [hours, setHours] = useState(24);
  const { data, refused } = useLoaded<RequestsDocument>(`/api/requests?hours=${hours}`, turn);
  const series = useMemo(() => (data === null ? null : perHour(data)), [data]);
  if (data === null || series === null) return <Waiting title="Requests" refused={refused} />;
  const total = data.requests.reduce((sum, { requests }) => sum + requests, 0);
  return (
    <Page
      title="Requests"
      about={
        <label>
          the last{' '}
          <select value={hours} onChange={(event) => setHours(Number(event.currentTarget.value))}>
            {SPANS.map(([value, name]) => (
              <option value={value}>{name}</option>
            ))}
          </select>
        </label>
      }
    >
      {refused !== null && <Problem refused={refused} />}
      <Budget data={data} />
      <section class="card" aria-labelledby="hourly">
        <h2 id="hourly">{nounText(total, 'request')}, by hour</h2>
        <Plot
          label={`Requests by hour since ${instant(data.since)}: ${countText(total)} in all`}
          x={series.times}
          isTime
          kind="bars"
          series={[
            { name: 'from here', values: series.all },
            { name: 'refused for the limit', values: series.refused },
            { name: 'by others, in the window before', values: series.others },
          ]}
        />
        <p class="soft small">
          From the log that each command keeps beside the lake. Commands at work write it every 25 requests. What others
          of the same subscription used is what the answers say is gone, without the requests from here.
          {data.unreadableLines > 0 && ` ${nounText(data.unreadableLines, 'line')} of the log cannot be read.`}
        </p>
      </section>
      {data.requests.length > 0 && (
        <section class="card" aria-labelledby="table">
          <h2 id="table">By command, endpoint and answer</h2>
          <Table
            label="By command, endpoint and answer"
            tall
            rows={data.requests.toReversed()}
            columns={[
              { title: 'hour', class: 'nowrap', cell: ({ hour }) => instant(hour).slice(0, 16) },
              { title: 'command', cell: ({ command }) => command },
              { title: 'endpoint', cell: ({ endpoint }) => endpoint },
              { title: 'answer', cell: ({ status }) => status ?? 'none' },
              { title: 'requests', right: true, cell: ({ requests }) => countText(requests) },
            ]}
          />
        </section>
      )}
    </Page>
  );
}

function Budget({ data: { budget, now } }: { data: RequestsDocument }) {
  if (budget === null) {
    return (
      <p class="card soft">
        What is left of the limit is not known: no command has shared its count of requests for this lake.
      </p>
    );
  }
  const wait = (iso: string | null) => {
    const ms = iso === null ? Number.NaN : Date.parse(iso) - Date.parse(now);
    return Number.isNaN(ms) ? 'when an answer has come' : ms <= 0 ? 'now' : `in ${durationText(ms)}`;
  };
  return (
    <div class="tiles">
      <Tile
        name="Left now"
        value={countText(budget.left)}
        more={`of ${countText(budget.requests)} in ${durationText(budget.windowSeconds * 1_000)}`}
        tone={budget.left === 0 ? 'bad' : undefined}
      />
      <Tile
        name="Next request"
        value={wait(budget.nextAt)}
        more={budget.blockedUntil === null ? '' : 'the gateway asked to wait'}
      />
      <Tile name="All free again" value={wait(budget.allFreeAt)} more={instant(budget.allFreeAt)} />
      <Tile name="Sent from here" value={countText(budget.own)} more="that still count" />
      <Tile name="Sent by others" value={countText(budget.foreign)} more="as far as answers say" />
    </div>
  );
}

/** Every hour of the span, also those without a request. */
function perHour({ requests, hours, since, now }: RequestsDocument) {
  const [start, end] = [Date.parse(since), Date.parse(now)];
  const times: number[] = [];
  for (let ms = start; ms <= end; ms += 3_600_000) times.push(ms / 1_000);
  const all = times.map(() => 0);
  const refused = times.map(() => 0);
  const others = times.map(() => 0);
  const placeOf = (hour: string) => Math.round((Date.parse(hour) - start) / 3_600_000);
  for (const { hour, isRefused, requests: sent } of requests) {
    all[placeOf(hour)] = (all[placeOf(hour)] ?? 0) + sent;
    if (isRefused) refused[placeOf(hour)] = (refused[placeOf(hour)] ?? 0) + sent;
  }
  for (const { hour, others: used } of hours) others[placeOf(hour)] = used ?? 0;
  return { times, all, refused, others };
}
