/** IMAGES: what was built and proven, and what is being built. */
import { again, t } from '../words';
import type { Image, Job, LayerStep } from '../wire';
import { button, copyButton, h, type Child } from './dom';
import { bytes, clock } from './format';
import { treemap } from './treemap';
import { problem, rows, section, type Listed, type Logs } from './section';

/** What the section lets the person do. */
export interface ImageActions {
  cancel(job: Job): void;
  /** Removes an image, from the engine too. */
  remove(image: Image): void;
}

/** The section; `ending` are the jobs that are being cancelled. Jobs that ended well are images already. */
export function imagesSection(
  images: Listed<Image>,
  jobs: Listed<Job>,
  ending: ReadonlySet<string>,
  logs: Logs,
  act: ImageActions
): HTMLElement {
  const open = (jobs.items ?? []).filter(job => job.state !== 'done');
  const none = t('No image yet. “Build image …” beside a wrapped model makes one and proves it.');
  const list: Child = open.length > 0 && images.items?.length === 0 ? null : rows(images, none, image => imageRow(image, ending, act));
  return section(
    'images',
    t('Images'),
    null,
    jobs.failure && problem(jobs.failure.message, jobs.failure.remedy),
    open.length > 0 && h('ul', { class: 'ek-list' }, open.map(job => jobRow(job, ending, logs, act))),
    list
  );
}

function imageRow(image: Image, ending: ReadonlySet<string>, act: ImageActions): HTMLElement {
  const proven = image.replay !== null && image.replay.mismatches.length === 0;
  const reason = image.findings.find(finding => finding.level === 'error');
  const found = image.audit?.vulnerabilities.length ?? 0;
  const run = `${image.engine} run --rm -p 3000:3000 ${image.reference}`;
  return h(
    'li',
    { class: 'ek-row', 'data-image': image.reference },
    h(
      'div',
      { class: 'ek-row-head' },
      h('strong', { class: 'ek-two', title: image.digest }, image.wanted || image.reference),
      h('span', { class: 'ek-dim ek-type' }, bytes(image.bytes))
    ),
    h(
      'p',
      { class: 'ek-detail' },
      verdict(image),
      ` · ${image.engine} · ${clock(image.created)}`
    ),
    !proven && h('p', { class: 'ek-detail' }, t('kept as {name}', { name: image.reference })),
    reason && problem(again(reason, 'message'), again(reason, 'remedy')),
    found > 0 && h('p', { class: 'ek-detail ek-wrong' }, t('Known vulnerabilities: {n}, of {all} packages', { n: found, all: image.audit?.checked ?? 0 })),
    image.parts.length > 0 &&
      h(
        'details',
        { class: 'ek-fold', 'data-key': `parts-${image.reference}` },
        h('summary', { 'aria-label': t('What weighs what in {name}', { name: image.reference }) }, t('What weighs what')),
        treemap(image)
      ),
    h(
      'div',
      { class: 'ek-actions' },
      proven &&
        image.engine !== 'buildah' &&
        copyButton(
          t('Copy run command'),
          t('Copied'),
          () => run,
          `run-${image.reference}`,
          t('Copy run command of {name}', { name: image.reference })
        ),
      !proven &&
        button(ending.has(image.reference) ? t('Removing …') : t('Remove'), () => act.remove(image), {
          key: `remove-${image.reference}`,
          name: t('Remove {name}', { name: image.reference }),
          disabled: ending.has(image.reference)
        })
    )
  );
}

/** Only an image that answered as the notebook did is called proven. */
export function verdict(image: Image): HTMLElement {
  if (image.replay === null) {
    return h('span', { class: 'ek-wrong' }, `✕ ${t('not proven')}`);
  }
  const told = proof(image.replay.rows, image.replay.mismatches);
  return told.passed === told.rows
    ? h('span', { class: 'ek-good' }, `✓ ${t('proven {passed}/{rows}', told)}`)
    : h('span', { class: 'ek-wrong' }, `✕ ${t('not proven: {passed}/{rows} rows agree', told)}`);
}

function proof(all: number, mismatches: readonly { readonly row: number }[]): { passed: number; rows: number } {
  return { passed: all - new Set(mismatches.map(each => each.row)).size, rows: all };
}

function jobRow(job: Job, ending: ReadonlySet<string>, logs: Logs, act: ImageActions): HTMLElement {
  const running = job.state === 'running';
  const ends = ending.has(job.id);
  return h(
    'li',
    { class: 'ek-row', 'data-job': job.id },
    h(
      'div',
      { class: 'ek-row-head' },
      h('strong', { class: 'ek-two', title: job.subject }, job.subject),
      h('span', { class: 'ek-dim ek-type' }, running ? step(job) : stateWord(job))
    ),
    running &&
      h('progress', {
        class: 'ek-progress',
        max: Math.max(job.steps, 1),
        // A bar without a value tells that the end is not known.
        value: job.steps > 0 ? job.step : null,
        'aria-label': t('Building {subject}', { subject: job.subject })
      }),
    job.message && h('p', { class: 'ek-detail ek-ellipsis', title: job.message }, running ? job.message : stoppedAt(job)),
    running &&
      job.layers.length > 0 &&
      h(
        'ul',
        { class: 'ek-idle ek-dim' },
        job.layers.map(layer =>
          h(
            'li',
            {},
            h('span', { class: 'ek-ellipsis', title: layer.name }, `✓ ${layer.name}`),
            h('span', { class: 'ek-whole' }, fared(layer))
          )
        )
      ),
    job.state === 'failed' && problem(job.error, job.remedy),
    h(
      'div',
      { class: 'ek-actions' },
      button(running ? (ends ? t('Cancelling …') : t('Cancel')) : t('Dismiss'), () => act.cancel(job), {
        key: `cancel-${job.id}`,
        disabled: ends,
        ...(ends ? {} : { name: running ? t('Cancel {name}', { name: job.subject }) : t('Dismiss {name}', { name: job.subject }) })
      })
    ),
    logs.fold(job.id, job.subject)
  );
}

/** What a layer took, or why it took nothing. */
function fared(layer: LayerStep): string {
  const took = `${bytes(layer.bytes)} · ${layer.seconds.toFixed(1)} s`;
  switch (layer.how) {
    case 'reused':
      return t('reused');
    case 'there':
    case 'mounted':
      return t('the registry has it');
    case 'sent':
      return `${took} · ${t('sent')}`;
    case 'resumed':
      return `${took} · ${t('sent, resumed after a break')}`;
    case 'again':
      return `${took} · ${t('sent from its start again, after a break')}`;
    default:
      return took;
  }
}

function step(job: Job): string {
  return job.steps > 0 ? t('step {step} of {steps}', { step: job.step, steps: job.steps }) : t('starting');
}

/** Where it was when it ended. */
function stoppedAt(job: Job): string {
  return job.steps > 0
    ? t('at step {step} of {steps}: {message}', { step: job.step, steps: job.steps, message: job.message })
    : job.message;
}

function stateWord(job: Job): string {
  return job.state === 'failed' ? `✕ ${t('failed')}` : `○ ${t('cancelled')}`;
}
