/** Image: what was built of this model, whether it was proven, and what weighs what in it. */
import { again, t } from '../words';
import type { Audit, Image, SizeEstimate, Vulnerability } from '../wire';
import { button, copyButton, h, swap, type Child } from './dom';
import { failureOf } from './failure';
import { bytes, clock } from './format';
import { verdict } from './images';
import { problem } from './section';
import { treemap } from './treemap';

/** The images of the model, the latest first; where there is none, what one would weigh and the code that makes it. */
export class ImageTab {
  readonly node: HTMLElement;
  private readonly size = h('div', { role: 'status' });
  private readonly failed = h('div');
  private readonly start: HTMLButtonElement;
  private asked = false;

  /** `code` makes an image and `build` runs it, `foresee` asks what it will weigh. */
  constructor(
    private readonly images: readonly Image[],
    code: string,
    private readonly build: () => Promise<void>,
    private readonly foresee: () => Promise<SizeEstimate>
  ) {
    this.start = button(t('Build'), () => void this.make(), { kind: 'primary', key: 'build', disabled: true });
    this.node =
      images.length > 0
        ? h('div', {}, images.map(one))
        : h(
            'div',
            {},
            h('p', { class: 'ek-empty' }, t('No image of this model yet. This makes one and proves it:')),
            h('pre', { class: 'ek-code' }, code),
            h('div', { class: 'ek-actions' }, this.start, copyButton(t('Copy'), t('Copied'), () => code, 'copy-build')),
            this.failed,
            this.size
          );
  }

  /** Asks for the size once somebody answers. */
  enable(live: boolean): void {
    this.start.disabled = !live;
    if (live && !this.asked && this.images.length === 0) {
      this.asked = true;
      void this.ask();
    }
  }

  private async make(): Promise<void> {
    swap(this.failed);
    this.start.disabled = true;
    try {
      await this.build();
    } catch (error) {
      const failure = failureOf(error);
      swap(this.failed, problem(failure.message, failure.remedy));
    } finally {
      this.start.disabled = false;
    }
  }

  private async ask(): Promise<void> {
    swap(this.size, h('p', { class: 'ek-dim' }, t('Looking up the sizes …')));
    try {
      const told = await this.foresee();
      swap(
        this.size,
        h(
          'p',
          { class: 'ek-size' },
          t('Estimated size: about {size}.', { size: bytes(told.bytes) }),
          told.unknown.length > 0 && ` ${t('Not known of: {names}', { names: told.unknown.join(', ') })}`
        ),
        treemap(told)
      );
    } catch (error) {
      const failure = failureOf(error);
      swap(
        this.size,
        h('p', { class: 'ek-dim' }, `${t('Its size cannot be told beforehand:')} ${failure.message}`),
        failure.remedy && h('p', { class: 'ek-remedy' }, failure.remedy),
        button(t('Look again'), () => void this.ask(), { key: 'foresee' })
      );
    }
  }
}

function one(image: Image): HTMLElement {
  return h(
    'section',
    { class: 'ek-image' },
    h(
      'p',
      {},
      h('strong', {}, image.wanted || image.reference),
      ` · ${bytes(image.bytes)} · `,
      verdict(image),
      h('span', { class: 'ek-dim' }, ` · ${image.engine} · ${clock(image.created)}`)
    ),
    h('p', { class: 'ek-dim ek-ellipsis', title: image.digest }, image.digest),
    image.findings.map(
      (finding): Child =>
        h('p', { class: `ek-finding ek-level-${finding.level}` }, again(finding, 'message'), finding.remedy && ` ${again(finding, 'remedy')}`)
    ),
    image.audit && audit(image.audit),
    treemap(image)
  );
}

/** Vulnerabilities that are listed at once; those that can be mended stand first. */
const SHOWN = 10;

function known(one: Vulnerability): HTMLElement {
  return h(
    'li',
    {},
    h('strong', {}, `${one.package} ${one.version}`),
    ` · ${[one.id, ...one.aliases].join(', ')} · `,
    one.fixed.length > 0 ? t('fixed in {versions}', { versions: one.fixed.join(', ') }) : t('not fixed yet')
  );
}

/** Known vulnerabilities of the packages: each with what mends it, and what was not checked. */
function audit(told: Audit): HTMLElement {
  const found = told.vulnerabilities;
  const head =
    told.checked === 0
      ? t('Known vulnerabilities: not checked ({why}).', { why: told.why || t('no source of advisories answered') })
      : found.length === 0
        ? t('Known vulnerabilities: none, of {n} packages.', { n: told.checked })
        : t('Known vulnerabilities: {n}, of {all} packages', { n: found.length, all: told.checked });
  return h(
    'div',
    { class: 'ek-audit' },
    h('p', { class: found.length > 0 ? 'ek-finding ek-level-warning' : 'ek-dim' }, head),
    found.length > 0 && h('ul', {}, found.slice(0, SHOWN).map(known)),
    // A distribution's base has dozens that are not fixed yet.
    found.length > SHOWN &&
      h(
        'details',
        { class: 'ek-fold', 'data-key': 'audit-rest' },
        h('summary', {}, t('and {n} more', { n: found.length - SHOWN })),
        h('ul', {}, found.slice(SHOWN).map(known))
      ),
    told.checked > 0 &&
      told.unchecked.length > 0 &&
      h('p', { class: 'ek-dim' }, t('Not checked: {names}', { names: told.unchecked.join(', ') }))
  );
}
