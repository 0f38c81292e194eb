/** The answer beside the form: the service's own, the notebook's, and whether the two agree. */
import { t } from '../words';
import type { Contract, Json, TryAnswer } from '../wire';
import { h, type Child } from './dom';
import { fieldIndex } from './form';
import { milliseconds, text } from './format';

const BARS = 8;

type Outputs = Readonly<Record<string, Json>>;

/** The parts of an answer that came. */
export function answered(contract: Contract, answer: TryAnswer): Child[] {
  const prediction = answer.prediction;
  if (!prediction) {
    return [];
  }
  return [
    h('div', { class: 'ek-value' }, first(prediction.outputs)),
    bars(contract, prediction.outputs),
    notebook(contract, answer),
    h(
      'p',
      { class: 'ek-meta' },
      [
        milliseconds(prediction.milliseconds),
        prediction.warnings.length === 0 ? t('in the sample’s range') : null,
        answer.through.startsWith('http')
          ? t('through the service at {url}', { url: answer.through })
          : t('through the service’s code in this kernel')
      ]
        .filter(part => part !== null)
        .join(' · ')
    ),
    prediction.warnings.length > 0 &&
      h(
        'ul',
        { class: 'ek-notices' },
        prediction.warnings.map(notice => h('li', {}, h('strong', {}, fieldName(contract, notice.path)), ' ', notice.message))
      )
  ];
}

/** The answer in one sentence, for those who listen. */
export function spoken(contract: Contract, answer: TryAnswer): string {
  const outputs = answer.prediction?.outputs;
  if (!outputs) {
    return '';
  }
  const share = probability(contract, outputs);
  const said = share === null ? first(outputs) : `${first(outputs)} ${share}`;
  if (answer.agrees === null) {
    return t('Answer: {answer}.', { answer: said });
  }
  return answer.agrees
    ? t('Answer: {answer}; the notebook agrees.', { answer: said })
    : t('Answer: {answer}; the notebook differs.', { answer: said });
}

function notebook(contract: Contract, answer: TryAnswer): HTMLElement {
  if (!answer.notebook) {
    return h('p', { class: 'ek-beside ek-dim' }, t('The notebook’s own object is not there to compare with.'));
  }
  const verdict = answer.agrees
    ? h('span', { class: 'ek-good' }, `✓ ${t('agrees')}`)
    : h('span', { class: 'ek-wrong' }, `✗ ${t('differs')}`);
  const share = probability(contract, answer.notebook);
  return h(
    'p',
    { class: 'ek-beside' },
    h('span', { class: 'ek-dim' }, t('notebook says')),
    h('strong', {}, first(answer.notebook), share !== null && ` · ${share}`),
    answer.agrees !== null && verdict
  );
}

function bars(contract: Contract, outputs: Outputs): HTMLElement | false {
  const shares = shareList(outputs);
  const classes = contract.classes;
  if (!shares || !classes || shares.length !== classes.length) {
    return false;
  }
  const pairs = shares.map((share, index) => ({ share, label: text(classes[index]) }));
  const many = pairs.length > BARS;
  // Few classes keep their places while the numbers move; of many only the likeliest are worth a line.
  const shown = many ? [...pairs].sort((a, b) => b.share - a.share).slice(0, BARS) : pairs;
  const top = Math.max(...shares);
  return h(
    'div',
    { class: 'ek-bars' },
    shown.map(({ share, label }) =>
      h(
        'div',
        { class: `ek-bar${share === top ? ' ek-top' : ''}` },
        h('span', { class: 'ek-bar-label', title: label }, label),
        h(
          'span',
          { class: 'ek-bar-track', 'aria-hidden': 'true' },
          h('span', { style: `width: ${Math.max(0, Math.min(1, share)) * 100}%` })
        ),
        h('span', { class: 'ek-bar-value' }, share.toFixed(3))
      )
    ),
    many && h('p', { class: 'ek-dim' }, t('{n} less likely classes are not shown', { n: pairs.length - BARS }))
  );
}

function probability(contract: Contract, outputs: Outputs): string | null {
  const shares = shareList(outputs);
  return shares && contract.classes ? Math.max(...shares).toFixed(3) : null;
}

function shareList(outputs: Outputs): number[] | null {
  const row = list(outputs['probabilities'])?.[0];
  return Array.isArray(row) && row.every(share => typeof share === 'number') ? (row as number[]) : null;
}

function first(outputs: Outputs): string {
  const value = list(outputs['predictions'])?.[0];
  return Array.isArray(value) ? value.map(item => text(item as Json)).join(', ') : text(value);
}

function list(value: Json | undefined): readonly Json[] | null {
  return Array.isArray(value) ? (value as readonly Json[]) : null;
}

function fieldName(contract: Contract, path: string): string {
  return contract.inputs[fieldIndex(contract, path)]?.name ?? path;
}
