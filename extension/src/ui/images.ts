/** IMAGES: what was built and proven, and what is being built. */
import { t } from '../words';
import type { Image, Job } from '../wire';
import { button, copyButton, h, type Child } from './dom';
import { bytes, clock } from './format';
import { problem, rows, section, type Listed, type Logs } from './section';

/** What the section lets the person do. */
export interface ImageActions {
  cancel(job: Job): void;
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
  const list: Child = open.length > 0 && images.items?.length === 0 ? null : rows(images, none, imageRow);
  return section(
    'images',
    t('Images'),
    null,
    jobs.failure && problem(jobs.failure.message, jobs.failure.remedy),
    open.length > 0 && h('ul', { class: 'ek-list' }, open.map(job => jobRow(job, ending, logs, act))),
    list
  );
}

function imageRow(image: Image): HTMLElement {
  const replay = image.replay;
  const run = `${image.engine} run --rm -p 3000:3000 ${image.reference}`;
  return h(
    'li',
    { class: 'ek-row', 'data-image': image.reference },
    h(
      'div',
      { class: 'ek-row-head' },
      h('strong', { class: 'ek-ellipsis', title: image.digest }, image.reference),
      h('span', { class: 'ek-dim ek-type' }, bytes(image.bytes))
    ),
    h(
      'p',
      { class: 'ek-detail' },
      replay
        ? h('span', { class: 'ek-good' }, `✓ ${t('proven {passed}/{rows}', proof(replay.rows, replay.mismatches))}`)
        : t('not proven'),
      ` · ${image.engine} · ${clock(image.created)}`
    ),
    image.engine !== 'buildah' &&
      h('div', { class: 'ek-actions' }, copyButton(t('Copy run command'), t('Copied'), () => run, `run-${image.digest}`))
  );
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
      h('strong', { class: 'ek-ellipsis', title: job.subject }, job.subject),
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
    job.message && h('p', { class: 'ek-detail ek-ellipsis', title: job.message }, job.message),
    job.state === 'failed' && problem(job.error, job.remedy),
    h(
      'div',
      { class: 'ek-actions' },
      button(running ? (ends ? t('Cancelling …') : t('Cancel')) : t('Dismiss'), () => act.cancel(job), {
        key: `cancel-${job.id}`,
        disabled: ends
      })
    ),
    logs.fold(job.id)
  );
}

function step(job: Job): string {
  return job.steps > 0 ? t('step {step} of {steps}', { step: job.step, steps: job.steps }) : t('starting');
}

function stateWord(job: Job): string {
  return job.state === 'failed' ? `✕ ${t('failed')}` : `○ ${t('cancelled')}`;
}
