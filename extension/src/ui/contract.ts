/** Contract: what goes in and what comes out, as the sample showed it. */
import { plural, t } from '../words';
import type { Contract, Field } from '../wire';
import { button, h } from './dom';
import { kindWord } from './form';
import { text } from './format';
import { histogram } from './histogram';

const LISTED = 6;

/** The contract as a table of fields; `freeText` takes any text in one, null where nobody could. */
export function contractTab(contract: Contract, freeText: ((field: string) => void) | null): HTMLElement {
  return h(
    'div',
    { class: 'ek-contract' },
    h(
      'p',
      { class: 'ek-dim' },
      form(contract),
      ' ',
      plural(contract.sample_rows, 'Seen in 1 row of the sample.', 'Seen in {n} rows of the sample.'),
      ' ',
      ...rules(contract)
    ),
    h(
      'div',
      { class: 'ek-scroll' },
      h(
        'table',
        { class: 'ek-table' },
        part(t('goes in'), contract.inputs, freeText),
        part(t('comes out'), contract.outputs, null)
      )
    )
  );
}

function form(contract: Contract): string {
  switch (contract.input) {
    case 'table':
    case 'records':
      return t('A row is an object of these fields.');
    case 'array':
      return t('A row is a list of these numbers, in this order.');
    case 'tensor':
      return t('A row is a nested list of numbers.');
    case 'texts':
      return t('A row is a text.');
    case 'images':
      return t('A row is an image.');
  }
}

/** What happens to what the sample did not have; only of kinds that the contract has. */
function rules(contract: Contract): string[] {
  return [
    contract.inputs.some(field => field.kind === 'category') ? `${unseen(contract)} ` : '',
    contract.inputs.some(field => field.minimum !== null) ? outside(contract) : ''
  ];
}

function unseen(contract: Contract): string {
  switch (contract.unseen) {
    case 'reject':
      return t('Categories that it did not have are refused.');
    case 'warn':
      return t('Categories that it did not have are answered with a warning.');
    case 'accept':
      return t('Categories that it did not have are accepted.');
  }
}

function outside(contract: Contract): string {
  switch (contract.outside) {
    case 'reject':
      return t('Numbers beyond a range are refused.');
    case 'warn':
      return t('Numbers beyond a range are answered with a warning.');
    case 'accept':
      return t('Numbers beyond a range are accepted.');
  }
}

/** One half of the table: both share their columns, so that they can be read against each other. */
function part(caption: string, fields: readonly Field[], freeText: ((field: string) => void) | null): HTMLElement[] {
  const names = [caption, t('kind'), t('may be missing'), t('seen values'), t('distribution')];
  return [
    h('tbody', { class: 'ek-table-head' }, h('tr', {}, names.map(name => h('th', { scope: 'col' }, name)))),
    h('tbody', {}, fields.map(field => line(field, freeText)))
  ];
}

function line(field: Field, freeText: ((field: string) => void) | null): HTMLElement {
  return h(
    'tr',
    {},
    h('th', { scope: 'row' }, field.name),
    h('td', {}, kindWord(field), ' ', h('code', { class: 'ek-dim' }, dtype(field))),
    h('td', {}, field.nullable ? t('yes') : t('no')),
    h(
      'td',
      {},
      seen(field),
      freeText &&
        mayBeText(field) &&
        button(t('Take any text'), () => freeText(field.name), {
          kind: 'quiet',
          name: t('Take any text in {name}', { name: field.name }),
          title: t('If these are texts that people write: any text is answered, here and by services that start from now on.')
        })
    ),
    h('td', { class: 'ek-tiny' }, histogram(field))
  );
}

/** Texts that the sample happened to repeat look like categories; a pandas categorical is one. */
function mayBeText(field: Field): boolean {
  return field.kind === 'category' && field.all_categories === null && (field.categories ?? []).every(each => typeof each === 'string');
}

function dtype(field: Field): string {
  return field.shape.length > 0 ? `${field.dtype} (${field.shape.map(size => (size < 0 ? '*' : size)).join(' × ')})` : field.dtype;
}

function seen(field: Field): string {
  if (field.kind === 'image') {
    return field.modes.join(' / ');
  }
  const categories = field.categories;
  if (categories) {
    const listed = categories.slice(0, LISTED).map(text).join(', ');
    return categories.length > LISTED ? t('{list} and {n} more', { list: listed, n: categories.length - LISTED }) : listed;
  }
  return field.minimum === null || field.maximum === null
    ? '–'
    : t('{low} to {high}', { low: text(field.minimum), high: text(field.maximum) });
}
