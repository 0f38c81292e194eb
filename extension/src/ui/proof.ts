/** Proof: the golden examples at every station, with what differs row by row. */
import { t } from '../words';
import type { Contract, Replay } from '../wire';
import { h } from './dom';
import { milliseconds, number, text } from './format';

/** The replays as a table, stations down. */
export function proofTab(contract: Contract, replays: readonly Replay[]): HTMLElement {
  const tolerance = contract.tolerance;
  return h(
    'div',
    {},
    h(
      'p',
      { class: 'ek-dim' },
      t('{n} rows of the sample, with the answers that the notebook gave, are sent again at every station.', {
        n: contract.golden.rows.length
      }),
      ' ',
      t('Numbers agree within {relative} of the value plus {absolute}.', {
        relative: text(tolerance.relative),
        absolute: text(tolerance.absolute)
      })
    ),
    replays.length === 0
      ? h('p', { class: 'ek-empty' }, t('Nothing was replayed yet.'))
      : h(
          'div',
          { class: 'ek-scroll' },
          h(
            'table',
            { class: 'ek-table' },
            h(
              'thead',
              {},
              h(
                'tr',
                {},
                h('th', { scope: 'col' }, t('station')),
                [t('rows'), t('worst difference'), t('time')].map(name =>
                  h('th', { scope: 'col', class: 'ek-right' }, name)
                ),
                h('th', { scope: 'col' }, t('verdict'))
              )
            ),
            h('tbody', {}, replays.map(line))
          )
        ),
    replays.map(differing)
  );
}

function line(replay: Replay): HTMLElement {
  const passed = replay.mismatches.length === 0;
  return h(
    'tr',
    {},
    h('th', { scope: 'row' }, station(replay.station)),
    h('td', { class: 'ek-right' }, number(replay.rows)),
    h('td', { class: 'ek-right' }, number(replay.worst)),
    h('td', { class: 'ek-right' }, milliseconds(replay.milliseconds)),
    h(
      'td',
      { class: passed ? 'ek-good' : 'ek-wrong' },
      passed ? `✓ ${t('agrees')}` : `✗ ${t('{n} rows differ', { n: rowsOf(replay) })}`
    )
  );
}

function rowsOf(replay: Replay): number {
  return new Set(replay.mismatches.map(mismatch => mismatch.row)).size;
}

function differing(replay: Replay): HTMLElement | false {
  if (replay.mismatches.length === 0) {
    return false;
  }
  return h(
    'details',
    { class: 'ek-fold', open: true },
    h('summary', {}, t('What differs at {station}', { station: station(replay.station) })),
    h(
      'ul',
      {},
      replay.mismatches.map(mismatch =>
        h(
          'li',
          {},
          t('row {row}, {output}: the notebook said {expected}, here {got}', {
            row: mismatch.row,
            output: mismatch.output,
            expected: text(mismatch.expected),
            got: text(mismatch.got)
          })
        )
      )
    )
  );
}

function station(name: string): string {
  switch (name) {
    case 'kernel':
      return t('this kernel');
    case 'process':
      return t('a clean process');
    case 'http':
      return t('the service over HTTP');
    case 'image':
      return t('the container image');
    case 'environment':
      return t('a fresh environment');
    case 'notebook':
      return t('the notebook in a fresh kernel');
    default:
      return name;
  }
}
