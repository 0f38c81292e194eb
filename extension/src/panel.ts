/** The side panel: models, services and images in one look. */
import type { NotebookPanel } from '@jupyterlab/notebook';
import { Widget } from '@lumino/widgets';
import type { Message } from '@lumino/messaging';

import type { Backend } from './backend';
import { boxName, buildCell, nextReference, serveCell, wrapCell } from './cells';
import type { KernelEye, Look } from './kernel';
import { bentoIcon } from './icons';
import { escapes, swap } from './ui/dom';
import { failureOf, type Failure } from './ui/failure';
import { imagesSection } from './ui/images';
import { modelsSection, type ModelActions } from './ui/models';
import { Logs, UNKNOWN, type Listed } from './ui/section';
import { servicesSection } from './ui/services';
import { curl } from './ui/snippets';
import { Pulse } from './ui/watch';
import type { BoxVariable, Image, Job, Server } from './wire';
import { t } from './words';

/** What the panel needs of JupyterLab around it. */
export interface Surroundings {
  readonly backend: Backend;
  /** The current notebook with the eye on its kernel. */
  current(): { panel: NotebookPanel; eye: KernelEye } | null;
  /** Runs the code as a cell of the notebook, or beside it where cells are not wanted. */
  run(panel: NotebookPanel, code: string): Promise<void>;
  /** Inserts a cell without running it. */
  insert(panel: NotebookPanel, code: string): void;
  /** Seconds between two looks at services and images while nothing moves. */
  interval(): number;
  /** Tells the person that something did not work. */
  fail(failure: Failure): void;
  /** Tells the person that a slow thing is done. */
  tell(sentence: string): void;
}

/** Milliseconds after which the next cell of a run has begun. */
const REST = 200;

/** Milliseconds between two looks while something starts, ends or is being built. */
const BUSY = 2000;

/** The panel. It looks only while it can be seen. */
export class EkibenPanel extends Widget {
  private look: Look = { state: 'none' };
  private servers: Listed<Server> = UNKNOWN;
  private images: Listed<Image> = UNKNOWN;
  private jobs: Listed<Job> = UNKNOWN;
  private readonly ending = new Set<string>();
  private readonly pulses = new Map<string, Pulse>();
  private readonly hosts = [0, 1, 2].map(() => document.createElement('div'));
  private readonly drawn: string[] = [];
  private readonly serviceLogs: Logs;
  private readonly jobLogs: Logs;
  private timer = 0;
  private rest = 0;
  private looks = 0;
  private looked: string | undefined;

  constructor(private readonly around: Surroundings) {
    super();
    this.id = 'ekiben-panel';
    this.title.icon = bentoIcon;
    this.title.caption = t('ekiben: models, services and images');
    this.addClass('ek');
    this.addClass('ek-panel');
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', t('ekiben: models, services and images'));
    this.node.append(...this.hosts);
    escapes(this.node);
    const redraw = () => this.draw(true);
    this.serviceLogs = new Logs(id => around.backend.log('services', id), redraw);
    this.jobLogs = new Logs(id => around.backend.log('jobs', id), redraw);
    document.addEventListener('visibilitychange', this.seen);
    this.draw();
  }

  override dispose(): void {
    document.removeEventListener('visibilitychange', this.seen);
    window.clearTimeout(this.timer);
    window.clearTimeout(this.rest);
    super.dispose();
  }

  /**
   * Looks once the notebook has come to rest: a cell ran, or another notebook came to the front. Every
   * look ends with the kernel calling itself idle, which JupyterLab shows; while a cell runs that is
   * wrong, so a look then is for the person to ask for.
   */
  lookAtRest(): void {
    window.clearTimeout(this.rest);
    this.rest = window.setTimeout(() => {
      const shown = this.around.current()?.panel.id;
      if (!this.cellRuns()) {
        void this.lookAgain();
      } else if (shown !== this.looked) {
        this.looks += 1;
        this.looked = shown;
        this.look = { state: 'busy' };
        this.draw();
      }
    }, REST);
  }

  /** Looks into the kernel now, also while a cell runs. */
  async lookAgain(): Promise<void> {
    const current = this.around.current();
    this.looks += 1;
    const turn = this.looks;
    this.looked = current?.panel.id;
    if (!current) {
      this.look = { state: 'none' };
    } else if (this.isVisible) {
      const look = await current.eye.look().catch((error: unknown): Look => {
        return { state: 'failed', message: failureOf(error).message };
      });
      if (turn !== this.looks) {
        return;
      }
      this.look = look;
    }
    this.draw();
  }

  /** Puts the focus on the first thing to do among the models. */
  async focusModels(): Promise<void> {
    await this.lookAgain();
    const models = this.hosts[0];
    this.node.scrollTop = 0;
    (models?.querySelector<HTMLElement>('.ek-primary') ?? models?.querySelector<HTMLElement>('button'))?.focus();
  }

  /** Asks the server for services, jobs and images now. */
  async refresh(): Promise<void> {
    window.clearTimeout(this.timer);
    if (!this.isVisible || document.hidden) {
      return;
    }
    const backend = this.around.backend;
    const [servers, jobs, images] = await Promise.all([
      listed(this.servers, backend.services()),
      listed(this.jobs, backend.jobs()),
      listed(this.images, backend.images())
    ]);
    await this.feel(servers.items ?? []);
    const shown = (of: readonly Listed<unknown>[]) => JSON.stringify(of.map(list => list.items));
    const changed = shown([servers, images]) !== shown([this.servers, this.images]);
    this.tellOf(jobs.items ?? []);
    [this.servers, this.jobs, this.images] = [servers, jobs, images];
    this.draw();
    if (changed) {
      // Cards in notebooks show whether their service runs and which images there are; they ask their kernel when they hear this.
      window.dispatchEvent(new Event('ekiben:services'));
    }
    await Promise.all([this.serviceLogs.refresh(servers.items ?? []), this.jobLogs.refresh(jobs.items ?? [])]);
    if (this.look.state === 'busy' || this.look.state === 'waiting') {
      this.lookAtRest();
    }
    window.clearTimeout(this.timer);
    this.timer = window.setTimeout(() => void this.refresh(), this.moves() ? BUSY : this.around.interval() * 1000);
  }

  /** Looks at what each running service counted; one that does not tell is shown without. */
  private async feel(servers: readonly Server[]): Promise<void> {
    const ready = servers.filter(server => server.state === 'ready');
    const known = new Set(ready.map(server => server.id));
    [...this.pulses.keys()].filter(id => !known.has(id)).forEach(id => this.pulses.delete(id));
    await Promise.all(
      ready.map(async server => {
        const figures = await this.around.backend.watch(server.id).catch(() => null);
        if (figures?.now) {
          const pulse = this.pulses.get(server.id) ?? new Pulse();
          this.pulses.set(server.id, pulse);
          pulse.push(figures, performance.now());
        }
      })
    );
  }

  protected override onAfterShow(_message: Message): void {
    this.seen();
  }

  protected override onAfterAttach(_message: Message): void {
    this.seen();
  }

  protected override onBeforeHide(_message: Message): void {
    window.clearTimeout(this.timer);
  }

  private readonly seen = (): void => {
    if (this.isVisible && !document.hidden) {
      void this.refresh();
      this.lookAtRest();
    }
  };

  /** Whether a cell runs. The kernel's own status does not tell: answering a subshell makes it idle too. */
  private cellRuns(): boolean {
    const cells = this.around.current()?.panel.content.widgets ?? [];
    return cells.some(({ model }) => 'executionState' in model && model.executionState === 'running');
  }

  private moves(): boolean {
    return (
      this.cellRuns() ||
      this.ending.size > 0 ||
      this.look.state === 'waiting' ||
      (this.servers.items ?? []).some(server => server.state === 'starting') ||
      (this.jobs.items ?? []).some(job => job.state === 'running')
    );
  }

  /** Says so when a job that was seen running has ended well; one that failed stays in the list. */
  private tellOf(jobs: readonly Job[]): void {
    const running = new Set((this.jobs.items ?? []).filter(job => job.state === 'running').map(job => job.id));
    for (const job of jobs) {
      if (running.has(job.id) && job.state === 'done') {
        this.around.tell(t('{subject} is built and proven.', { subject: job.subject }));
      }
    }
  }

  /** Draws what has changed; `all` draws everything. */
  private draw(all = false): void {
    const servers = this.servers.items ?? [];
    const references = (this.images.items ?? []).map(image => image.reference);
    const views: readonly [unknown, () => HTMLElement][] = [
      [
        [this.look, servers, references],
        () =>
          modelsSection({
            look: this.look,
            servers,
            reference: box => nextReference(box.model, references),
            act: this.modelActions
          })
      ],
      [
        [this.servers, [...this.ending], [...this.pulses].map(([id, pulse]) => [id, pulse.line(), pulse.moments])],
        () =>
          servicesSection(this.servers, this.ending, this.serviceLogs, this.pulses, {
            stop: server => void this.end(server.id, () => this.around.backend.stop(server.id)),
            curl: async server => {
              const contract = await this.around.backend.contract(server.id);
              return curl(server.url, contract.golden.rows[0] ?? {});
            }
          })
      ],
      [
        [this.images, this.jobs, [...this.ending]],
        () =>
          imagesSection(this.images, this.jobs, this.ending, this.jobLogs, {
            cancel: job => void this.end(job.id, () => this.around.backend.cancel(job.id)),
            remove: image => void this.end(image.reference, () => this.around.backend.removeImage(image.reference))
          })
      ]
    ];
    views.forEach(([state, make], index) => {
      const text = JSON.stringify(state, (_key, value: unknown) => (value instanceof Error ? value.message : value));
      const host = this.hosts[index];
      if (host && (all || this.drawn[index] !== text)) {
        this.drawn[index] = text;
        swap(host, make());
      }
    });
  }

  private async end(id: string, act: () => Promise<void>): Promise<void> {
    this.ending.add(id);
    this.draw();
    try {
      await act();
    } catch (error) {
      this.around.fail(failureOf(error));
    } finally {
      this.ending.delete(id);
      this.draw();
      await this.refresh();
    }
  }

  private readonly modelActions: ModelActions = {
    look: () => void this.lookAgain(),
    wrap: (model, sample, choices) => {
      const look = this.look;
      if (look.state === 'ready') {
        const own = this.boxOf(choices.name || model.name.toLowerCase(), look.snapshot.boxes);
        const box = boxName(model.name, look.taken, own);
        this.code(wrapCell(model.name, sample, box, look.taken.includes('ekiben'), choices));
      }
    },
    show: box => this.code(box.name),
    serve: box => this.code(serveCell(box.name)),
    build: (box, reference) => this.code(buildCell(box.name, reference)),
    insert: code => {
      const current = this.around.current();
      if (current) {
        this.around.insert(current.panel, code);
      }
    }
  };

  /** The variable that already holds a box of this model: wrapping again renews it. */
  private boxOf(model: string, boxes: readonly BoxVariable[]): string | null {
    return boxes.find(box => box.model.split(':')[0] === model)?.name ?? null;
  }

  private code(code: string): void {
    const current = this.around.current();
    if (current) {
      void this.around.run(current.panel, code).then(
        () => Promise.all([this.lookAtRest(), this.refresh()]),
        (error: unknown) => this.around.fail(failureOf(error))
      );
      // What the cell starts is worth a closer look while it runs.
      window.setTimeout(() => void this.refresh(), 500);
    }
  }
}

/** The new list, or the old one with the reason why there is none. */
async function listed<T>(before: Listed<T>, asked: Promise<readonly T[]>): Promise<Listed<T>> {
  try {
    return { items: await asked, failure: null };
  } catch (error) {
    return { items: before.items, failure: failureOf(error) };
  }
}
