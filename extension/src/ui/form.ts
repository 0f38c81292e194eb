/** The form that a contract describes: one line a field, the rest folded where there are many. */
import { t } from '../words';
import type { Contract, Field, Json } from '../wire';
import { control, type Control } from './controls';
import { h } from './dom';
import { Filter } from './filter';

const SHOWN = 24;

/** From so many fields on there is a box that finds one by its name. */
const FILTERED = 15;
let forms = 0;

/** A row as it travels: an object, a list or one value, as the contract's form has it. */
export type Row = Json;

interface Line {
  readonly field: Field;
  readonly control: Control;
  readonly missing: HTMLInputElement | null;
  readonly problem: HTMLElement;
  readonly node: HTMLElement;
}

/** The form; `changed` is called when the person changed a value. */
export class Form {
  readonly node: HTMLElement;
  private readonly lines: Line[];
  private readonly filter: Filter | null;
  private enabled = true;

  constructor(
    private readonly contract: Contract,
    private readonly changed: () => void
  ) {
    forms += 1;
    this.lines = contract.inputs.map((field, index) => this.line(field, `ek-${forms}-${index}`));
    const nodes = this.lines.map(line => line.node);
    const rest = nodes.slice(SHOWN);
    const fold =
      rest.length > 0 &&
      h('details', { class: 'ek-fold' }, h('summary', {}, t('{n} more fields', { n: rest.length })), rest);
    this.filter = this.lines.length < FILTERED ? null : new Filter(this.lines, fold || null);
    this.node = h(
      'div',
      { class: contract.inputs.some(field => field.nullable) ? 'ek-form ek-nullable' : 'ek-form' },
      this.filter?.node,
      nodes.slice(0, SHOWN),
      fold
    );
    this.lines.forEach(({ control: made }, index) => {
      // A field that is missing in the first example has a value at hand when it stops being so.
      const there = contract.golden.rows.map(row => valueAt(contract, row, index)).find(value => value !== null);
      if (there !== undefined) {
        made.set(there);
      }
    });
  }

  /** The row that the form holds, or null while a value cannot be read; its place is told there. */
  row(): Row | null {
    this.clearProblems();
    const values: (Json | undefined)[] = this.lines.map(line =>
      line.missing?.checked ? null : line.control.value()
    );
    const unread = this.lines.filter((_line, index) => values[index] === undefined);
    for (const line of unread) {
      say(line, t('Not a value of this field.'), line.field.kind === 'image' ? t('Choose an image file.') : t('Type {kind}.', { kind: kindWord(line.field) }));
    }
    if (unread.length > 0) {
      return null;
    }
    const read = values as Json[];
    switch (this.contract.input) {
      case 'array':
        return read;
      case 'tensor':
      case 'texts':
      case 'images':
        return read[0] ?? null;
      case 'table':
      case 'records':
        return Object.fromEntries(this.lines.map((line, index) => [line.field.name, read[index] ?? null]));
    }
  }

  /** Fills the form from a row. */
  set(row: Row): void {
    this.lines.forEach((line, index) => {
      const value = valueAt(this.contract, row, index);
      if (line.missing) {
        line.missing.checked = value === null;
      }
      if (value !== null) {
        line.control.set(value);
      }
      line.control.enable(this.enabled && !line.missing?.checked);
    });
    this.clearProblems();
  }

  /** Shows each problem at its field and gives back those that belong to none. */
  tell(problems: readonly Readonly<Record<string, string>>[]): Readonly<Record<string, string>>[] {
    return problems.filter(problem => {
      const line = this.lines[fieldIndex(this.contract, problem['path'] ?? '')];
      if (line) {
        say(line, problem['message'] ?? '', problem['remedy'] ?? '');
        const fold = line.node.closest('details');
        if (fold) {
          fold.open = true;
        }
      }
      return !line;
    });
  }

  enable(enabled: boolean): void {
    this.enabled = enabled;
    for (const line of this.lines) {
      line.control.enable(enabled && !line.missing?.checked);
      if (line.missing) {
        line.missing.disabled = !enabled;
      }
    }
  }

  private line(field: Field, id: string): Line {
    const problem = h('p', { class: 'ek-problem', id: `${id}-problem`, role: 'alert' });
    const made = control(field, this.contract.unseen, id, this.changed);
    made.node.querySelector(`#${id}`)?.setAttribute('aria-describedby', problem.id);
    const missing = field.nullable
      ? h('input', {
          type: 'checkbox',
          'aria-label': t('{name} is missing', { name: field.name }),
          onchange: () => {
            made.enable(!missing?.checked);
            this.changed();
          }
        })
      : null;
    const node = h(
      'div',
      { class: 'ek-line', 'data-field': field.name },
      h('label', { class: 'ek-name', for: id, title: `${field.name} · ${field.dtype}` }, field.name),
      made.node,
      missing && h('label', { class: 'ek-missing' }, missing, t('missing')),
      problem
    );
    return { field, control: made, missing, problem, node };
  }

  private clearProblems(): void {
    for (const line of this.lines) {
      line.problem.replaceChildren();
      line.node.classList.remove('ek-bad');
    }
    this.filter?.apply();
  }
}

/** The field that `$.rows[0].city`, `$.rows[0]["city name"]`, `$.rows[0][3]` or `$.rows[0]` speaks of, or -1. */
export function fieldIndex(contract: Contract, path: string): number {
  const rest = path.replace(/^\$\.rows\[\d+\]/, '');
  if (contract.input === 'tensor' || contract.input === 'texts' || contract.input === 'images') {
    return rest === path ? -1 : 0;
  }
  const index = /^\[(\d+)\]/.exec(rest);
  if (index) {
    return Number(index[1]);
  }
  return contract.inputs.findIndex(
    field => rest.startsWith(`[${JSON.stringify(field.name)}]`) || rest.split(/[[.]/)[1] === field.name
  );
}

/** The kind of a field in words. */
export function kindWord(field: Field): string {
  switch (field.kind) {
    case 'number':
      return t('a number');
    case 'integer':
      return t('a whole number');
    case 'boolean':
      return t('yes or no');
    case 'category':
      return t('one of a list');
    case 'datetime':
      return t('a date and time');
    case 'text':
      return t('text');
    case 'image':
      return t('an image');
  }
}

function say(line: Line, message: string, remedy: string): void {
  line.problem.replaceChildren(message, ...(remedy ? [' ', h('span', { class: 'ek-remedy' }, remedy)] : []));
  line.node.classList.add('ek-bad');
  // What is wrong is seen, whatever the filter looks for.
  line.node.hidden = false;
}

/** The value of the field with this index in a row. */
function valueAt(contract: Contract, row: Row, index: number): Json {
  switch (contract.input) {
    case 'array':
      return (row as readonly Json[])[index] ?? null;
    case 'tensor':
    case 'texts':
    case 'images':
      return row;
    case 'table':
    case 'records':
      return (row as Readonly<Record<string, Json>>)[contract.inputs[index]?.name ?? ''] ?? null;
  }
}
