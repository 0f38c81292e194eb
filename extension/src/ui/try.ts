/** Try: change a value, read the answer. */
import { t } from '../words';
import type { Contract, TryAnswer } from '../wire';
import { answered, spoken } from './answer';
import { h, swap } from './dom';
import { failureOf } from './failure';
import { Form, type Row } from './form';

const DEBOUNCE = 150;

/** The form, the golden examples to start from, and the answer that follows each change. */
export class TryTab {
  readonly node: HTMLElement;
  private readonly form: Form;
  private readonly examples: HTMLSelectElement;
  private readonly answer = h('div', { class: 'ek-answer' });
  private readonly spoken = h('p', { class: 'ek-offscreen', 'aria-live': 'polite' });
  private timer = 0;
  private asking = false;
  private stale = false;
  private enabled = false;

  /** `ask` answers rows; it rejects with a Failure. */
  constructor(
    private readonly contract: Contract,
    private readonly ask: (rows: Row[]) => Promise<TryAnswer>
  ) {
    this.form = new Form(contract, () => this.later());
    const rows = contract.golden.rows;
    this.examples = h(
      'select',
      { class: 'ek-input', 'aria-label': t('A row of the sample to start from'), onchange: () => this.load() },
      rows.map((_row, index) => h('option', { value: index }, t('example {n}', { n: index + 1 })))
    );
    this.node = h(
      'div',
      { class: 'ek-try' },
      h(
        'div',
        { class: 'ek-try-form' },
        h('div', { class: 'ek-examples' }, h('span', { class: 'ek-dim' }, t('start from')), this.examples),
        this.form.node
      ),
      h('div', { class: 'ek-try-answer' }, this.answer, this.spoken)
    );
    if (rows[0] !== undefined) {
      this.form.set(rows[0]);
    }
    this.enable(false);
  }

  /** Turns the form on or off; turned on, it asks at once. */
  enable(enabled: boolean): void {
    this.form.enable(enabled);
    this.examples.disabled = !enabled;
    if (enabled && !this.enabled) {
      this.enabled = true;
      void this.send();
    }
    this.enabled = enabled;
  }

  /** Asks again: a service came or went. */
  again(): void {
    if (this.enabled) {
      void this.send();
    }
  }

  dispose(): void {
    window.clearTimeout(this.timer);
    this.enabled = false;
  }

  private load(): void {
    const row = this.contract.golden.rows[Number(this.examples.value)];
    if (row !== undefined) {
      this.form.set(row);
      void this.send();
    }
  }

  private later(): void {
    window.clearTimeout(this.timer);
    this.timer = window.setTimeout(() => void this.send(), DEBOUNCE);
  }

  /** One question at a time: what changes meanwhile is asked afterwards, the old answer is dropped. */
  private async send(): Promise<void> {
    if (this.asking) {
      this.stale = true;
      return;
    }
    const row = this.form.row();
    if (row === null || !this.enabled) {
      this.answer.classList.add('ek-old');
      return;
    }
    this.asking = true;
    this.answer.classList.add('ek-old');
    try {
      const answer = await this.ask([row]);
      if (!this.stale) {
        this.show(answer);
      }
    } catch (error) {
      if (!this.stale) {
        this.fail(error);
      }
    } finally {
      this.asking = false;
    }
    if (this.stale) {
      this.stale = false;
      await this.send();
    }
  }

  private show(answer: TryAnswer): void {
    const homeless = this.form.tell(answer.problems);
    if (answer.prediction) {
      this.answer.classList.remove('ek-old');
      swap(this.answer, answered(this.contract, answer));
      this.spoken.textContent = spoken(this.contract, answer);
      return;
    }
    const sentence = homeless[0]?.['message'] ?? answer.error;
    swap(
      this.answer,
      h('p', { class: 'ek-problem' }, t('No answer: the row breaks the contract.')),
      (homeless.length > 0 || answer.problems.length === 0) && h('p', {}, sentence)
    );
    this.answer.classList.remove('ek-old');
    this.spoken.textContent = t('No answer: the row breaks the contract.');
  }

  private fail(error: unknown): void {
    const failure = failureOf(error);
    this.answer.classList.remove('ek-old');
    swap(
      this.answer,
      h('p', { class: 'ek-problem', role: 'alert' }, failure.message),
      failure.remedy && h('p', { class: 'ek-remedy' }, failure.remedy)
    );
  }
}
