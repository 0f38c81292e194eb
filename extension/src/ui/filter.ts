/** Finds a field by its name where a form has many. */
import { t } from '../words';
import { h } from './dom';

/** A line of the form, as far as it matters here. */
interface Named {
  readonly field: { readonly name: string };
  readonly node: HTMLElement;
}

/**
 * The box, and how many fields it found. Each word that is typed must be in a field's name, in any order
 * and case. Enter goes on to the first field found, Esc shows them all again.
 */
export class Filter {
  readonly node: HTMLElement;
  private readonly box: HTMLInputElement;
  private readonly count = h('span', { class: 'ek-dim', role: 'status' });
  private words: readonly string[] = [];
  /** Whether the fold was open before something was looked for; null while nothing is. */
  private before: boolean | null = null;

  /** `fold` holds the last of the lines. */
  constructor(
    private readonly lines: readonly Named[],
    private readonly fold: HTMLDetailsElement | null
  ) {
    this.box = h('input', {
      type: 'search',
      class: 'ek-input',
      placeholder: t('Find a field'),
      'aria-label': t('Find a field'),
      spellcheck: 'false',
      autocomplete: 'off',
      oninput: () => this.look()
    });
    this.box.addEventListener('keydown', event => this.key(event));
    this.node = h('div', { class: 'ek-filter' }, this.box, this.count);
    this.look();
  }

  /** Shows the fields that are looked for and those with a problem, and hides the others. */
  apply(): void {
    for (const line of this.lines) {
      line.node.hidden = !this.found(line) && !line.node.classList.contains('ek-bad');
    }
  }

  private found({ field }: Named): boolean {
    const name = field.name.toLowerCase();
    return this.words.every(word => name.includes(word));
  }

  private look(): void {
    this.words = this.box.value.toLowerCase().split(/\s+/).filter(Boolean);
    this.apply();
    const total = this.lines.length;
    const n = this.lines.filter(line => this.found(line)).length;
    const looking = this.words.length > 0;
    this.count.textContent = !looking
      ? t('{n} fields', { n: total })
      : n === 0
        ? t('no field of {total} has this in its name', { total })
        : t('{n} of {total} fields', { n, total });
    if (this.fold && looking && this.before === null) {
      this.before = this.fold.open;
      this.fold.open = true;
    } else if (this.fold && !looking && this.before !== null) {
      this.fold.open = this.before;
      this.before = null;
    }
    // "{n} more fields" is not what it holds while something is looked for.
    this.fold?.classList.toggle('ek-looking', looking);
  }

  private key(event: KeyboardEvent): void {
    if (event.key === 'Escape' && this.box.value !== '') {
      event.preventDefault();
      event.stopPropagation();
      this.box.value = '';
      this.look();
    } else if (event.key === 'Enter') {
      event.preventDefault();
      this.lines.find(line => this.found(line))?.node.querySelector('label')?.control?.focus();
    }
  }
}
