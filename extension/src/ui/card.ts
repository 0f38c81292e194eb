/** The card of a box: what it is, whether it runs, and the tabs Try, Contract, Proof, Watch, Image, Code. */
import { buildCell } from '../cells';
import { again, t } from '../words';
import type { CardData, Compiled, Finding, Server, SizeEstimate, TryAnswer } from '../wire';
import { codeTab } from './code';
import { contractTab } from './contract';
import { button, escapes, h, swap, type Child } from './dom';
import { failureOf, type Failure } from './failure';
import type { Row } from './form';
import { address } from './address';
import { agreement, clock, speedup, state, times } from './format';
import { ImageTab } from './image-tab';
import { proofTab } from './proof';
import { Tabs } from './tabs';
import { TryTab } from './try';
import { WatchTab, type Figures } from './watch';

/** What the card asks of the process behind it. Each rejects with a Failure. */
export interface Carrier {
  tryRows(rows: Row[]): Promise<TryAnswer>;
  serve(): Promise<void>;
  stop(): Promise<void>;
  /** Runs the code that builds an image, where the page runs cells. */
  build(code: string): Promise<void>;
  /** Takes any text in a field from now on. */
  freeText(field: string): Promise<void>;
  /** What the service of this model counted; null where none runs. */
  watch(): Promise<Figures | null>;
  /** What an image of this model would weigh; some seconds. */
  foresee(): Promise<SizeEstimate>;
}

/** Whether somebody answers: not known yet, yes, or no. */
export type Life = 'waiting' | 'live' | 'static';

/** The card. `set` shows new data; `live` turns the form and the buttons on and off. */
export class Card {
  readonly node: HTMLElement;
  private readonly head = h('header', { class: 'ek-head' });
  private readonly tabs: Tabs;
  private attempt: TryTab | null = null;
  private watching: WatchTab | null = null;
  private imaging: ImageTab | null = null;
  private expected: Promise<SizeEstimate> | null = null;
  private life: Life = 'waiting';
  private doing: 'serve' | 'stop' | null = null;
  private failure: Failure | null = null;

  constructor(
    private data: CardData,
    private readonly carrier: Carrier
  ) {
    this.tabs = new Tabs(t('Views of {model}', { model: data.model.name }), [
      { id: 'try', title: () => t('Try'), make: () => this.makeTry() },
      { id: 'contract', title: () => t('Contract'), make: () => contractTab(this.data.model.contract, this.life === 'live' ? field => void this.loosen(field) : null) },
      { id: 'proof', title: () => t('Proof'), make: () => proofTab(this.data.model.contract, this.data.replays, this.data.model.compiled) },
      { id: 'watch', title: () => t('Watch'), make: () => this.makeWatch() },
      { id: 'image', title: () => t('Image'), make: () => this.makeImage() },
      { id: 'code', title: () => t('Code'), make: () => this.makeCode() }
    ]);
    this.node = h('section', { class: 'ek ek-card' }, this.head, this.tabs.node);
    escapes(this.node);
    window.addEventListener('keydown', this.guard, true);
    this.header();
  }

  /** Shows `data`; the form keeps what was typed while the contract stays the same. */
  set(data: CardData): void {
    const before = this.data;
    this.data = data;
    const same = (read: (card: CardData) => unknown) => JSON.stringify(read(before)) === JSON.stringify(read(data));
    this.header();
    if (!same(card => card.model.contract)) {
      this.attempt?.dispose();
      this.tabs.renew('try', 'contract', 'proof', 'code');
      return;
    }
    if (!same(card => card.replays)) {
      this.tabs.renew('proof');
    }
    if (!same(card => card.images)) {
      this.tabs.renew('image');
    }
    if (!same(card => [card.servers, card.files])) {
      this.tabs.renew('code');
      this.attempt?.again();
    }
  }

  live(life: Life): void {
    if (life === this.life) {
      return;
    }
    this.life = life;
    this.attempt?.enable(life === 'live');
    this.imaging?.enable(life === 'live');
    this.tabs.renew('contract');
    this.header();
  }

  dispose(): void {
    window.removeEventListener('keydown', this.guard, true);
    this.attempt?.dispose();
    this.watching?.dispose();
  }

  /**
   * The notebook's single-key shortcuts (b: insert a cell) must not fire while someone moves a slider in
   * an output; those with Ctrl go on. Lumino, which listens at the document, honours this attribute.
   */
  private readonly guard = (event: KeyboardEvent): void => {
    const target = event.target;
    if (target instanceof Element && this.node.contains(target)) {
      const plain = !event.ctrlKey && !event.metaKey && !event.altKey;
      target.toggleAttribute('data-lm-suppress-shortcuts', plain);
    }
  };

  private makeTry(): HTMLElement {
    this.attempt = new TryTab(this.data.model.contract, rows => this.carrier.tryRows(rows));
    this.attempt.enable(this.life === 'live');
    return this.attempt.node;
  }

  private makeWatch(): HTMLElement {
    this.watching?.dispose();
    this.watching = new WatchTab(() => this.carrier.watch());
    return this.watching.node;
  }

  private makeImage(): HTMLElement {
    const name = this.data.model.name;
    const code = buildCell(this.data.variable, `${name}:1`);
    const tab = new ImageTab(this.data.images, code, () => this.carrier.build(code), () => this.foresee());
    this.imaging = tab;
    tab.enable(this.life === 'live');
    return tab.node;
  }

  /** Asked once: the model does not change under the card. */
  private foresee(): Promise<SizeEstimate> {
    this.expected ??= this.carrier.foresee().catch((error: unknown) => {
      this.expected = null;
      throw error;
    });
    return this.expected;
  }

  private makeCode(): HTMLElement {
    const server = this.server();
    const url = server?.state === 'ready' ? server.url : null;
    return codeTab(url, this.data.model, this.data.files);
  }

  /** The service that counts: one that is ready, else the latest. */
  private server(): Server | undefined {
    const servers = this.data.servers;
    return servers.find(server => server.state === 'ready') ?? servers.at(-1);
  }

  private header(): void {
    const model = this.data.model;
    swap(
      this.head,
      h(
        'div',
        { class: 'ek-title' },
        h('strong', { class: 'ek-tag' }, `${model.name}:${model.version}`),
        h('span', {}, model.estimator),
        h('span', { class: 'ek-dim' }, taskWord(model.contract.task)),
        storage(model.storage),
        answersBy(model.compiled),
        h('span', { class: 'ek-service' }, this.service())
      ),
      this.life === 'static' &&
        h(
          'p',
          { class: 'ek-note' },
          t('The kernel is busy or gone: this is the card as it was. Run the cell again if it stays so.')
        ),
      this.failure && findings([{ level: 'error', message: this.failure.message, remedy: this.failure.remedy, told: {} }]),
      findings(model.findings)
    );
  }

  private service(): Child[] {
    const server = this.server();
    const name = this.data.model.name;
    const shown = state(this.doing === 'serve' ? 'starting' : (server?.state ?? 'stopped'));
    const idle = this.life !== 'live' || this.doing !== null;
    const running = server?.state === 'ready' || server?.state === 'starting';
    return [
      h(
        'span',
        { class: `ek-state ek-${this.doing === 'serve' ? 'starting' : (server?.state ?? 'stopped')}`, role: 'status' },
        h('span', { 'aria-hidden': 'true' }, shown.mark),
        ` ${shown.word}`
      ),
      running &&
        h(
          'span',
          { class: 'ek-dim' },
          address(server, name),
          ` · ${t('since {time}', { time: clock(server.started) })}`
        ),
      running
        ? button(this.doing === 'stop' ? t('Stopping …') : t('Stop'), () => void this.act('stop'), {
            disabled: idle,
            key: 'stop'
          })
        : button(this.doing === 'serve' ? t('Starting …') : t('Serve'), () => void this.act('serve'), {
            kind: 'primary',
            disabled: idle,
            key: 'serve'
          })
    ];
  }

  private async loosen(field: string): Promise<void> {
    this.failure = null;
    try {
      await this.carrier.freeText(field);
    } catch (error) {
      this.failure = failureOf(error);
    }
    this.header();
  }

  private async act(verb: 'serve' | 'stop'): Promise<void> {
    this.doing = verb;
    this.failure = null;
    this.header();
    try {
      await this.carrier[verb]();
    } catch (error) {
      this.failure = failureOf(error);
    } finally {
      this.doing = null;
      this.header();
    }
  }
}

function findings(all: readonly Finding[]): HTMLElement | false {
  const words = { info: t('note'), warning: t('warning'), error: t('error') };
  return (
    all.length > 0 &&
    h(
      'ul',
      { class: 'ek-findings' },
      all.map(finding =>
        h(
          'li',
          { class: `ek-finding ek-level-${finding.level}` },
          h('strong', {}, words[finding.level]),
          ' ',
          again(finding, 'message'),
          finding.remedy && h('span', { class: 'ek-remedy' }, ` ${again(finding, 'remedy')}`)
        )
      )
    )
  );
}

/** How the model is kept, in plain words: loading a pickle may run any code. */
function storage(name: string): HTMLElement {
  const pickled = name.includes('pickle') || name === 'joblib';
  return h(
    'span',
    {
      class: pickled ? 'ek-badge ek-badge-warn' : 'ek-badge',
      title: pickled
        ? t('Loading a pickle can run any code in it: load it only where you trust its maker.')
        : t('Loading it runs no code of the file.')
    },
    pickled ? t('{format}, trust its maker', { format: name }) : t('{format}, safe to load', { format: name })
  );
}

/** What answers: the compiled form with what one row gains, or the native object with the reason. */
function answersBy(compiled: Compiled): HTMLElement {
  const active = compiled.form !== '' && compiled.serves;
  return h(
    'span',
    { class: 'ek-badge', title: active ? agreement(compiled) : compiled.reason || compiled.form },
    active ? t('compiled {speedup}×', { speedup: times(speedup(compiled)) }) : t('native')
  );
}

function taskWord(task: string): string {
  switch (task) {
    case 'classification':
      return t('classification');
    case 'regression':
      return t('regression');
    case 'clustering':
      return t('clustering');
    case 'outlier detection':
      return t('outlier detection');
    case 'transformation':
      return t('transformation');
    case 'prediction':
      return t('prediction');
    default:
      return task;
  }
}
