import { countText } from '@edrlake/core/quantities';
import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';

interface PlotProps {
  readonly label: string;
  /** Ascending; seconds where it is time. */
  readonly x: readonly number[];
  readonly isTime: boolean;
  readonly kind: 'bars' | 'line';
  readonly series: readonly { readonly name: string; readonly values: readonly (number | null)[] }[];
}

const HEIGHT = 230;
const COLOURS = ['--accent', '--s-partial', '--s-complete', '--s-unverified'];

/** A chart over numbers or UTC time. It follows the width of its place and the colours of the page. */
export function Plot({ label, x, isTime, kind, series }: PlotProps) {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const element = place.current;
    if (element === null) return;
    let plot = draw(element, { label, x, isTime, kind, series });
    const redraw = () => {
      plot.destroy();
      plot = draw(element, { label, x, isTime, kind, series });
    };
    const sized = new ResizeObserver(() => plot.setSize({ width: element.clientWidth, height: HEIGHT - 30 }));
    sized.observe(element);
    const themed = new MutationObserver(redraw);
    themed.observe(document.documentElement, { attributeFilter: ['data-theme'] });
    const dark = matchMedia('(prefers-color-scheme: dark)');
    dark.addEventListener('change', redraw);
    return () => {
      sized.disconnect();
      themed.disconnect();
      dark.removeEventListener('change', redraw);
      plot.destroy();
    };
  }, [x, series]);
  return <div class="plot" ref={place} role="img" aria-label={label} />;
}

/** Days, and hours where the ticks are closer. */
function timeTexts(_: uPlot, ticks: number[]): string[] {
  const isClose = (ticks[1] ?? 0) - (ticks[0] ?? 0) < 86_400;
  return ticks.map((seconds) => {
    const text = new Date(seconds * 1_000).toISOString();
    return isClose && !text.includes('T00:00') ? text.slice(11, 16) : text.slice(0, 10);
  });
}

/** A colour of the page in the theme of now, for the canvas: a property as it is written has both themes. */
function colourOf(element: HTMLElement, name: string): string {
  element.style.color = `var(${name})`;
  const { color } = getComputedStyle(element);
  element.style.color = '';
  return color;
}

function draw(element: HTMLElement, { x, isTime, kind, series }: PlotProps): uPlot {
  const colour = (name: string) => colourOf(element, name);
  const axis = {
    stroke: colour('--soft'),
    grid: { stroke: colour('--line'), width: 1 },
    ticks: { stroke: colour('--line') },
  };
  const bars = uPlot.paths.bars;
  const gap = kind === 'bars' && x.length > 1 ? ((x.at(-1) ?? 0) - (x[0] ?? 0)) / (x.length - 1) : 0;
  // A bar of nothing would be drawn as a line.
  const shown = series.map(({ values }) => values.map((value) => (kind === 'bars' && value === 0 ? null : value)));
  return new uPlot(
    {
      width: element.clientWidth,
      height: HEIGHT - 30,
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1_000), 'Etc/UTC'),
      scales: {
        x: { time: isTime, range: (_, low, high) => [low - gap / 2, high + gap / 2] },
        y: { range: (_, low, high) => [Math.min(0, low), high <= 0 ? 1 : high * 1.05] },
      },
      axes: [
        { ...axis, space: 80, ...(isTime ? { values: timeTexts } : {}) },
        { ...axis, size: 62, values: (_, ticks) => ticks.map((tick) => countText(tick)) },
      ],
      cursor: { drag: { x: false, y: false } },
      series: [
        isTime ? { label: 'UTC', value: '{YYYY}-{MM}-{DD} {HH}:{mm}' } : {},
        ...series.map(({ name }, index) => ({
          label: name,
          stroke: colour(COLOURS[index % COLOURS.length] ?? ''),
          ...(kind === 'bars' && bars !== undefined
            ? {
                fill: colour(COLOURS[index % COLOURS.length] ?? ''),
                paths: bars({ size: [0.7, 60] }),
                points: { show: false },
              }
            : { width: 1.6 }),
        })),
      ],
    },
    [[...x], ...shown] as uPlot.AlignedData,
    element,
  );
}
