/** Proof: the golden examples at every station, with what differs row by row. */
import { t } from '../words';
import type { Compiled, Contract, Replay } from '../wire';
import { h } from './dom';
import { agreement, microseconds, milliseconds, number, text, times, ways, whole } from './format';

/** The replays as a table, stations down. */
export function proofTab(contract: Contract, replays: readonly Replay[], compiled: Compiled): HTMLElement {
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
      }),
      Object.keys(tolerance.scales ?? {}).length > 0 &&
        ` ${t('Those of {outputs} have 32 bits and count with the size of their row, whose rounding they carry.', {
          outputs: Object.keys(tolerance.scales ?? {}).join(', ')
        })}`
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
    replays.map(differing),
    compiled.form ? faster(compiled) : compiled.reason && h('p', { class: 'ek-dim' }, t('It answers natively: {reason}', { reason: compiled.reason }))
  );
}

/** The compiled form: what was compared, and both ways' times. */
function faster(compiled: Compiled): HTMLElement {
  return h(
    'div',
    { class: 'ek-faster' },
    h('h4', { class: 'ek-heading' }, t('The compiled form')),
    h('p', {}, agreement(compiled), !compiled.serves && ` ${t('It does not serve: the native object was chosen.')}`),
    ...ways(compiled).map(way => h('p', { class: 'ek-dim' }, way)),
    h(
      'table',
      { class: 'ek-table' },
      h(
        'thead',
        {},
        h(
          'tr',
          {},
          [t('rows a call'), t('native'), t('compiled'), t('faster')].map((name, place) =>
            h('th', { scope: 'col', class: place === 0 ? '' : 'ek-right' }, name)
          )
        )
      ),
      h(
        'tbody',
        {},
        compiled.timings.map(timing =>
          h(
            'tr',
            {},
            h('th', { scope: 'row' }, number(timing.rows)),
            h('td', { class: 'ek-right' }, microseconds(timing.native)),
            h('td', { class: 'ek-right' }, microseconds(timing.compiled)),
            h('td', { class: 'ek-right' }, `${times(timing.native / timing.compiled)}×`)
          )
        )
      )
    )
  );
}

function line(replay: Replay): HTMLElement {
  if (replay.problem) {
    return h(
      'tr',
      {},
      h('th', { scope: 'row' }, station(replay.station)),
      [0, 1, 2].map(() => h('td', { class: 'ek-right ek-dim' }, '–')),
      h('td', { class: 'ek-wrong' }, `✗ ${replay.problem}`)
    );
  }
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
            expected: whole(mismatch.expected),
            got: whole(mismatch.got)
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
