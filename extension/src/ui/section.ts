/** What every list of the panel has: a heading, and the states empty, loading, failed. */
import { t } from '../words';
import { h, type Child } from './dom';
import type { Failure } from './failure';

/** A list that comes from elsewhere: null while it was never there. */
export interface Listed<T> {
  readonly items: readonly T[] | null;
  readonly failure: Failure | null;
}

/** A list that was not asked for yet. */
export const UNKNOWN: Listed<never> = { items: null, failure: null };

/** A section of the panel. */
export function section(id: string, title: string, tools: Child, ...body: Child[]): HTMLElement {
  return h(
    'section',
    { class: 'ek-section', 'aria-labelledby': `ek-heading-${id}` },
    h('div', { class: 'ek-section-head' }, h('h3', { id: `ek-heading-${id}` }, title), tools),
    body
  );
}

/** The rows of a list, or what to say instead of them. */
export function rows<T>(list: Listed<T>, empty: Child, row: (item: T) => HTMLElement): Child[] {
  return [
    list.failure && problem(list.failure.message, list.failure.remedy),
    list.items === null
      ? !list.failure && h('p', { class: 'ek-empty' }, t('Looking …'))
      : list.items.length === 0
        ? !list.failure && h('p', { class: 'ek-empty' }, empty)
        : h('ul', { class: 'ek-list' }, list.items.map(row))
  ];
}

/** A problem with its remedy beside it. */
export function problem(message: string, remedy: string): HTMLElement {
  return h(
    'p',
    { class: 'ek-problem', role: 'alert' },
    message,
    remedy && [' ', h('span', { class: 'ek-remedy' }, remedy)]
  );
}

/** A folded log; it is read when it is opened, and again by `Logs.refresh` while it stays open. */
export class Logs {
  private readonly texts = new Map<string, string>();
  private readonly open = new Set<string>();
  private readonly pages = new Map<string, HTMLElement>();

  /** `read` gives the end of the log called `key`. */
  constructor(
    private readonly read: (key: string) => Promise<string>,
    private readonly changed: () => void
  ) {}

  /** The fold for the log called `key`, of what people know as `name`. */
  fold(key: string, name: string): HTMLElement {
    const text = this.texts.get(key);
    const page = h('pre', { class: 'ek-log', tabindex: 0, 'aria-label': t('Log of {name}', { name }) }, text ?? t('Looking …'));
    const fold = h('details', { class: 'ek-fold', 'data-key': `log-${key}` }, h('summary', { 'aria-label': t('Log of {name}', { name }) }, t('Log')), page);
    fold.open = this.open.has(key);
    fold.addEventListener('toggle', () => {
      if (fold.open && !this.open.has(key)) {
        this.open.add(key);
        void this.load(key);
      } else if (!fold.open && fold.isConnected) {
        this.open.delete(key);
      }
    });
    this.keepPlace(key, page);
    return fold;
  }

  /** Reads the open logs of the list again; those that left it are forgotten. */
  async refresh(list: readonly { readonly id: string }[]): Promise<void> {
    const there = new Set(list.map(item => item.id));
    for (const key of [...this.open].filter(each => !there.has(each))) {
      this.open.delete(key);
    }
    await Promise.all([...this.open].map(key => this.load(key)));
  }

  /** The end of a log is what matters, unless the person has scrolled away from it. */
  private keepPlace(key: string, page: HTMLElement): void {
    const before = this.pages.get(key);
    const away = before && before.scrollHeight - before.scrollTop - before.clientHeight > 24 ? before.scrollTop : null;
    this.pages.set(key, page);
    window.requestAnimationFrame(() => (page.scrollTop = away ?? page.scrollHeight));
  }

  private async load(key: string): Promise<void> {
    const text = await this.read(key).catch((error: unknown) => String(error));
    if (text !== this.texts.get(key)) {
      this.texts.set(key, text);
      this.changed();
    }
  }
}
