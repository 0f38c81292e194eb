/**
 * Words for people: the English sentence is the key of the catalogue that the Python side reads too.
 */
import catalogue from '../ekiben/locale/zh_CN/LC_MESSAGES/ekiben.json';

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

/** `one` for a single thing, else `many` with `{n}` filled. Both are keys of the catalogue. */
export function plural(n: number, one: string, many: string): string {
  return n === 1 ? t(one) : t(many, { n: n.toLocaleString(locale()) });
}

/** The BCP 47 name that `Intl` wants. */
export function locale(): string {
  return language() === 'zh_CN' ? 'zh-CN' : 'en';
}
