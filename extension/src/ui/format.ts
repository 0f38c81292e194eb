/** Numbers, sizes and times in the reader's language. */
import { locale, t } from '../words';
import type { Compiled, Json, ServerState } from '../wire';

/** A number short enough to stand in a row: six significant digits, and a whole one below 1e9 to its last. */
export function number(value: number): string {
  if (value !== 0 && (Math.abs(value) >= 1e9 || Math.abs(value) < 1e-4)) {
    return Number(value.toPrecision(3)).toExponential();
  }
  return value.toLocaleString(locale(), { maximumSignificantDigits: Number.isInteger(value) ? 15 : 6 });
}

/** Any answer or category as text; what is missing is told in words, and a whole number to its last digit. */
export function text(value: Json | undefined): string {
  if (value === null || value === undefined) {
    return t('missing');
  }
  if (typeof value === 'number') {
    // A label or a year is no amount: 1000001 is not 1,000,000, and 2024 not 2,024.
    return Number.isInteger(value) && Math.abs(value) < 1e15 ? String(value) : number(value);
  }
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** Two values that differ: with all their digits, or the difference might not be seen. */
export function whole(value: Json | undefined): string {
  return typeof value === 'number' ? String(value) : text(value);
}

/** Bytes in the unit that people read. */
export function bytes(value: number): string {
  const units = ['B', 'kB', 'MB', 'GB'];
  let size = value;
  let unit = 0;
  while (size >= 1000 && unit < units.length - 1) {
    size /= 1000;
    unit += 1;
  }
  return `${size.toLocaleString(locale(), { maximumFractionDigits: size < 10 && unit > 0 ? 1 : 0 })} ${units[unit]}`;
}

/** Milliseconds with two significant digits. */
export function milliseconds(value: number): string {
  return `${value.toLocaleString(locale(), { maximumSignificantDigits: value < 100 ? 2 : 3 })} ms`;
}

/** A factor with two digits that count: 430, 3.2. */
export function times(factor: number): string {
  return factor.toLocaleString(locale(), { maximumSignificantDigits: 2 });
}

/** How many times faster one row is. */
export function speedup(compiled: Compiled): number {
  const first = compiled.timings[0];
  return first ? first.native / first.compiled : 0;
}

/** What was compared before the compiled form may answer. */
export function agreement(compiled: Compiled): string {
  const told = { form: compiled.form, rows: number(compiled.rows), edges: number(compiled.edges) };
  return compiled.worst === 0
    ? t('{form}: {rows} rows of the sample and {edges} at its edges agree to the last digit.', told)
    : t('{form}: {rows} rows of the sample and {edges} at its edges agree within {worst}.', {
        ...told,
        worst: number(compiled.worst)
      });
}

/** How trees are asked, for people. */
export function ways(compiled: Compiled): string[] {
  const words: Record<string, string> = {
    'few:table': t("few rows: looked up in a table of the trees' answers"),
    'few:walk': t('few rows: down one tree after the other'),
    'many:walk': t('many rows: down one tree after the other'),
    'many:bits': t('many rows: 64 at a time, as the bits of a number'),
    'many:lanes': t('many rows: down all trees at once, level by level'),
    'all:walk': t('down one tree after the other'),
    'all:bits': t('64 rows at a time, as the bits of a number'),
    'all:lanes': t('down all trees at once, level by level')
  };
  return (compiled.ways ?? []).flatMap(way => words[way] ?? []);
}

/** Microseconds, as milliseconds from 1000. */
export function microseconds(value: number): string {
  return value < 1000 ? `${value.toLocaleString(locale(), { maximumSignificantDigits: 2 })} µs` : milliseconds(value / 1000);
}

/** The hour and minute of an ISO 8601 time, with the day when it is not today. */
export function clock(iso: string): string {
  const time = new Date(iso);
  if (Number.isNaN(time.getTime())) {
    return iso;
  }
  const today = time.toDateString() === new Date().toDateString();
  const hour = time.toLocaleTimeString(locale(), { hour: 'numeric', minute: '2-digit' });
  return today ? hour : `${time.toLocaleDateString(locale(), { month: 'short', day: 'numeric' })} ${hour}`;
}

/** `:49231` of a URL. */
export function port(url: string): string {
  const found = /:(\d+)/.exec(url);
  return found ? `:${found[1]}` : url;
}

/** The state as a mark and a word. */
export function state(value: ServerState): { mark: string; word: string } {
  switch (value) {
    case 'ready':
      return { mark: '●', word: t('ready') };
    case 'starting':
      return { mark: '◐', word: t('starting') };
    case 'stopped':
      return { mark: '○', word: t('stopped') };
    case 'failed':
      return { mark: '✕', word: t('failed') };
  }
}
