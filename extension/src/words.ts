/**
 * Words for people: the English sentence is the key of the catalogue that the Python side reads too.
 */
import catalogue from '../ekiben/locale/zh_CN/LC_MESSAGES/ekiben.json';
import type { Finding } from './wire';

const chinese: Readonly<Record<string, unknown>> = catalogue;

/** What fills the `{names}` of a sentence. */
export type Values = Readonly<Record<string, string | number>>;

/** `zh_CN` or `en`: the language of the page that shows us. */
export function language(): 'zh_CN' | 'en' {
  return document.documentElement.lang.toLowerCase().startsWith('zh') ? 'zh_CN' : 'en';
}

/** `text` in the page's language, with `{name}` filled from `values`. */
export function t(text: string, values: Values = {}): string {
  const found = language() === 'zh_CN' ? chinese[text] : undefined;
  const chosen: unknown = Array.isArray(found) ? found[0] : undefined;
  const sentence = typeof chosen === 'string' && chosen !== '' ? chosen : text;
  return sentence.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}

/** A sentence as Python keeps it (`words.Said.kept`); a value may be one itself. */
interface Kept {
  readonly key: string;
  readonly values: Readonly<Record<string, string | Kept>>;
}

/** A part of a finding in the page's language; as it was told where no key of it was kept. */
export function again(finding: Pick<Finding, 'message' | 'remedy'> & { readonly told?: unknown }, part: 'message' | 'remedy'): string {
  const told = finding.told as Readonly<Record<string, Kept>> | undefined;
  const kept = told?.[part];
  return kept ? say(kept) : finding[part];
}

function say(kept: Kept): string {
  const values = Object.entries(kept.values).map(([name, value]) => [name, typeof value === 'string' ? value : say(value)]);
  return t(kept.key, Object.fromEntries(values) as Values);
}

/** `one` for a single thing, else `many` with `{n}` filled. Both are keys of the catalogue. */
export function plural(n: number, one: string, many: string): string {
  return n === 1 ? t(one) : t(many, { n: n.toLocaleString(locale()) });
}

/** The BCP 47 name that `Intl` wants. */
export function locale(): string {
  return language() === 'zh_CN' ? 'zh-CN' : 'en';
}
