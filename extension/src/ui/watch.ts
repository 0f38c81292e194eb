/** Watch: requests, latency, errors, memory and drift of a running service, as quiet lines. */
import { t } from '../words';
import { h, s, swap, type Child } from './dom';
import { bytes, milliseconds, number } from './format';

/** One histogram of a service: how many values up to each end, and beyond the last. */
interface Buckets {
  readonly counts: readonly number[];
}

/** How far a field has moved from the sample: the population stability index, once enough rows were seen. */
interface Drift {
  readonly name: string;
  readonly rows: number;
  readonly psi: number | null;
}

/** What a service answers at `/watch`: all it counted since it started, and how it is now. */
export interface Figures {
  readonly requests: Readonly<Record<string, number>>;
  readonly latency: Readonly<Record<string, Buckets>>;
  readonly ends: readonly number[];
  readonly drift: readonly Drift[];
  readonly now: { readonly memory: number; readonly in_flight: number; readonly workers: number };
}

/** What happened between two looks. */
export interface Moment {
  readonly rate: number;
  /** Seconds within which half and 99 % of the answers came; null where none came. */
  readonly half: number | null;
  readonly most: number | null;
  readonly refused: number;
  readonly failed: number;
  readonly memory: number;
}

/** Looks that are kept. */
const KEPT = 40;
const FEW = 12;

/** The last looks at one service. */
export class Pulse {
  readonly moments: Moment[] = [];
  last: Figures | null = null;
  private when = 0;

  /** Takes a look at `when` (milliseconds). A service that counts less than before has started anew. */
  push(figures: Figures, when: number): void {
    const before = this.last;
    const seconds = (when - this.when) / 1000;
    if (before && seconds > 0 && sum(figures.requests) >= sum(before.requests)) {
      const counts = totals(figures).map((count, index) => count - (totals(before)[index] ?? 0));
      const grown = (from: number, to: number) => statuses(figures, from, to) - statuses(before, from, to);
      this.moments.push({
        rate: (sum(figures.requests) - sum(before.requests)) / seconds,
        half: quantile(counts, figures.ends, 0.5),
        most: quantile(counts, figures.ends, 0.99),
        refused: grown(400, 499),
        failed: grown(500, 599),
        memory: figures.now.memory
      });
      this.moments.splice(0, this.moments.length - KEPT);
    }
    this.last = figures;
    this.when = when;
  }

  /** `12 req/s · 3 ms`, as far as it is known. */
  line(): string {
    const moment = this.moments.at(-1);
    return [
      moment && moment.rate > 0 && rate(moment.rate),
      moment && moment.half !== null && milliseconds(moment.half * 1000)
    ]
      .filter(Boolean)
      .join(' · ');
  }
}

/** A line of values over their ground; the numbers stand beside it as text. */
export function spark(values: readonly (number | null)[]): SVGElement {
  // Head-room, so that a steady value does not look like a full one.
  const top = Math.max(...values.map(value => value ?? 0), 1e-9) * 1.4;
  // A young line fills its place from the right, so that it can be read before it is full.
  const step = 100 / (Math.max(values.length, FEW) - 1);
  const points = values.map((value, index) => {
    const x = 100 - (values.length - 1 - index) * step;
    return `${x.toFixed(1)},${(23 - ((value ?? 0) / top) * 22).toFixed(1)}`;
  });
  const begin = points[0]?.split(',')[0];
  return s(
    'svg',
    { class: 'ek-spark', viewBox: '0 0 100 24', preserveAspectRatio: 'none', 'aria-hidden': 'true' },
    s('line', { x1: 0, y1: 23, x2: 100, y2: 23 }),
    points.length > 1 && s('polygon', { points: [`${begin},23`, ...points, '100,23'].join(' ') }),
    points.length > 1 && s('polyline', { points: points.join(' ') })
  );
}

/** Milliseconds between two looks. */
const EVERY = 2000;

/** The tab. It looks only while it can be seen; `look` gives null where no service runs. */
export class WatchTab {
  readonly node = h('div', { class: 'ek-watch' });
  private pulse = new Pulse();
  private timer = 0;
  private over = false;

  constructor(private readonly look: () => Promise<Figures | null>) {
    this.draw(h('p', { class: 'ek-empty' }, t('Looking …')));
    // The node is not on the page yet when its tab is made.
    this.timer = window.setTimeout(() => void this.again(), 50);
  }

  dispose(): void {
    this.over = true;
    window.clearTimeout(this.timer);
  }

  private async again(): Promise<void> {
    if (this.node.offsetParent !== null && !document.hidden) {
      try {
        const figures = await this.look();
        if (figures) {
          this.pulse.push(figures, performance.now());
          this.draw(...this.lines(figures));
        } else {
          this.pulse = new Pulse();
          this.draw(h('p', { class: 'ek-empty' }, t('No service of this model runs: serve it to watch it.')));
        }
      } catch {
        // The kernel is busy or the service just ended: what was seen stays until the next look.
      }
    }
    if (!this.over) {
      this.timer = window.setTimeout(() => void this.again(), EVERY);
    }
  }

  private lines(figures: Figures): Child[] {
    const moments = this.pulse.moments;
    const now = moments.at(-1);
    const latency =
      now && now.half !== null && now.most !== null
        ? t('{half} · 99 % within {most}', {
            half: milliseconds(now.half * 1000),
            most: milliseconds(now.most * 1000)
          })
        : '–';
    const errors = t('{refused} refused, {failed} failed', {
      refused: number(statuses(figures, 400, 499)),
      failed: number(statuses(figures, 500, 599))
    });
    return [
      h(
        'dl',
        { class: 'ek-watch-lines' },
        line(t('Requests'), rate(now?.rate ?? 0), moments.map(each => each.rate)),
        line(t('Latency'), latency, moments.map(each => each.most), t('Half of the answers came within the first time.')),
        line(t('Errors'), errors, moments.map(each => each.refused + each.failed)),
        line(t('Memory'), bytes(figures.now.memory), moments.map(each => each.memory))
      ),
      figures.drift.length > 0 && drifts(figures.drift)
    ];
  }

  private draw(...children: Child[]): void {
    swap(this.node, children);
  }
}

function line(name: string, told: string, values: readonly (number | null)[], title = ''): HTMLElement {
  return h('div', { title }, h('dt', {}, name), h('dd', {}, spark(values)), h('dd', { class: 'ek-watch-now' }, told));
}

function drifts(fields: readonly Drift[]): HTMLElement {
  const sorted = [...fields].sort((one, other) => (other.psi ?? -1) - (one.psi ?? -1));
  return h(
    'table',
    { class: 'ek-watch-drift' },
    h('caption', {}, t('Drift against the sample')),
    h(
      'tbody',
      {},
      sorted.map(field => {
        const [kind, word] = verdict(field);
        const width = Math.min(100, (field.psi ?? 0) * 200);
        return h(
          'tr',
          { class: `ek-drift-${kind}` },
          h('th', { scope: 'row' }, field.name),
          h('td', {}, h('span', { class: 'ek-bar-track' }, h('span', { style: `width: ${width}%` }))),
          h('td', { class: 'ek-watch-now' }, field.psi === null ? '–' : field.psi.toFixed(2)),
          h('td', {}, word)
        );
      })
    )
  );
}

/** The customary reading of the index: below 0.1 and above 0.25. */
function verdict(field: Drift): [string, string] {
  if (field.psi === null) {
    return ['unknown', t('{n} rows: too few to say', { n: field.rows })];
  }
  return field.psi < 0.1
    ? ['stable', t('stable')]
    : field.psi < 0.25
      ? ['moving', t('moving')]
      : ['shifted', t('shifted')];
}

function rate(value: number): string {
  return t('{n} req/s', { n: number(Number(value.toPrecision(value < 100 ? 2 : 3))) });
}

function sum(values: Readonly<Record<string, number>>): number {
  return Object.values(values).reduce((total, each) => total + each, 0);
}

/** Requests whose status lies between the two; a key is `protocol status`. */
function statuses(figures: Figures, from: number, to: number): number {
  return Object.entries(figures.requests)
    .filter(([key]) => {
      const status = Number(key.split(' ').at(-1));
      return status >= from && status <= to;
    })
    .reduce((total, [, count]) => total + count, 0);
}

/** The latency of all protocols together. */
function totals(figures: Figures): number[] {
  const found = new Array<number>(figures.ends.length + 1).fill(0);
  for (const buckets of Object.values(figures.latency)) {
    buckets.counts.forEach((count, index) => (found[index] = (found[index] ?? 0) + count));
  }
  return found;
}

/** The value below which `part` of the counted ones lie, straight within its bucket; null where there are none. */
function quantile(counts: readonly number[], ends: readonly number[], part: number): number | null {
  const wanted = counts.reduce((total, each) => total + each, 0) * part;
  let below = 0;
  for (const [index, count] of counts.entries()) {
    if (count > 0 && below + count >= wanted) {
      const low = index === 0 ? 0 : (ends[index - 1] ?? 0);
      const high = ends[index] ?? low;
      return low + ((high - low) * (wanted - below)) / count;
    }
    below += count;
  }
  return null;
}
