import { useEffect, useState } from 'preact/hooks';
import { useChanges } from './api.ts';
import icon from './icon.svg';
import { AskView } from './views/ask.tsx';
import { CompareView } from './views/compare.tsx';
import { CoverageView } from './views/coverage.tsx';
import { DayView } from './views/day.tsx';
import { FreshnessView } from './views/freshness.tsx';
import { MatchesView } from './views/matches.tsx';
import { RequestsView } from './views/requests.tsx';
import { RunView } from './views/run.tsx';
import { RunsView } from './views/runs.tsx';

const PLACES = [
  ['', 'Coverage'],
  ['runs', 'Runs'],
  ['requests', 'Requests'],
  ['freshness', 'Freshness'],
  ['matches', 'Matches'],
  ['ask', 'Ask'],
] as const;

/** The part of the address behind `#/`: never sent to a server, so a link may hold a question. */
function useRoute(): string {
  const read = () => location.hash.replace(/^#\/?/, '');
  const [route, setRoute] = useState(read);
  useEffect(() => {
    const onChange = () => {
      setRoute(read());
      document.getElementById('view')?.focus({ preventScroll: true });
      scrollTo(0, 0);
    };
    addEventListener('hashchange', onChange);
    return () => removeEventListener('hashchange', onChange);
  }, []);
  return route;
}

/** The whole page: the view that the address names. */
export function App() {
  const route = useRoute();
  const { turn, isLive } = useChanges();
  const [place = '', ...rest] = (route.split('?')[0] ?? '').split('/');
  const current = place === 'day' ? '' : place;
  useEffect(() => {
    const title = PLACES.find(([path]) => path === current)?.[1] ?? 'Coverage';
    document.title = `${place === 'day' ? rest[0] : title} · edrlake`;
  });
  return (
    <>
      <button type="button" class="skip" onClick={() => document.getElementById('view')?.focus()}>
        Skip to the content
      </button>
      <header class="top">
        <a class="brand" href="#/">
          <img src={icon} alt="" />
          edrlake
        </a>
        <nav aria-label="Views">
          {PLACES.map(([path, title]) => (
            <a href={`#/${path}`} aria-current={current === path ? 'page' : undefined}>
              {title}
            </a>
          ))}
        </nav>
        <div class="end">
          <span class="live" data-on={isLive} role="status">
            <i />
            {isLive ? 'live' : 'offline'}
          </span>
          <Theme />
        </div>
      </header>
      <View place={place} rest={rest} route={route} turn={turn} />
    </>
  );
}

function View({ place, rest, route, turn }: { place: string; rest: string[]; route: string; turn: number }) {
  const [first, , third] = rest;
  if (place === 'day' && first !== undefined) return <DayView day={first} turn={turn} />;
  if (place === 'runs' && first !== undefined && third !== undefined)
    return <CompareView ids={[first, third]} turn={turn} />;
  if (place === 'runs' && first !== undefined) return <RunView id={first} turn={turn} />;
  if (place === 'runs') return <RunsView turn={turn} />;
  if (place === 'requests') return <RequestsView turn={turn} />;
  if (place === 'freshness') return <FreshnessView turn={turn} />;
  if (place === 'matches') return <MatchesView turn={turn} />;
  if (place === 'ask') return <AskView linked={new URLSearchParams(route.split('?')[1] ?? '').get('sql')} />;
  return <CoverageView turn={turn} />;
}

const THEMES = ['system', 'light', 'dark'] as const;

function Theme() {
  const [theme, setTheme] = useState<string>(() => localStorage.getItem('theme') ?? 'system');
  useEffect(() => {
    if (theme === 'system') delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    localStorage.setItem('theme', theme);
  }, [theme]);
  return (
    <select aria-label="Colours" value={theme} onChange={(event) => setTheme(event.currentTarget.value)}>
      {THEMES.map((name) => (
        <option value={name}>{name}</option>
      ))}
    </select>
  );
}
