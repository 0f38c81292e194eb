/** The card as a notebook widget: JupyterLab, Notebook 7, VS Code, Colab, Voilà. */
import { serveCell, textCell } from './cells';
import { Card, type Carrier, type Life } from './ui/card';
import { Failure, failureOf } from './ui/failure';
import type { Row } from './ui/form';
import type { Figures } from './ui/watch';
import type { CardData, SizeEstimate, TryAnswer } from './wire';
import { language, t } from './words';

/** What anywidget gives of its model. */
interface WidgetModel {
  get(name: 'card'): CardData;
  on(event: string, handler: (message: unknown) => void): void;
  off(event: string, handler: (message: unknown) => void): void;
  send(content: unknown): void;
}

interface Reply {
  readonly id: number;
  readonly ok: boolean;
  readonly data?: unknown;
  readonly error?: { readonly error: string; readonly remedy?: string; readonly where?: string };
}

interface Waiting {
  resolve(data: unknown): void;
  reject(failure: Failure): void;
}

type Verb = 'try' | 'serve' | 'stop' | 'text' | 'refresh' | 'watch' | 'foresee';

/** How long a question may stay open before the card says that nobody answers. */
const PATIENCE = { try: 10_000, serve: 180_000, stop: 30_000, text: 10_000, refresh: 5_000, watch: 10_000, foresee: 90_000 };

/** What `ekiben:code` carries: the code, and what a listener that ran it leaves behind. */
export interface CodeRequest {
  readonly code: string;
  done?: Promise<unknown>;
}

/** Questions to the kernel over the widget's comm, each with its answer. */
class Comm {
  private readonly waiting = new Map<number, Waiting>();
  private last = 0;
  private readonly hear = (message: unknown) => this.answer(message as Reply);

  /** `life` hears whether the kernel answers; a late answer counts. */
  constructor(
    private readonly model: WidgetModel,
    private readonly life: (life: Life) => void
  ) {
    model.on('msg:custom', this.hear);
  }

  ask(verb: Verb, more: { readonly rows?: Row[]; readonly field?: string } = {}): Promise<unknown> {
    this.last += 1;
    const id = this.last;
    return new Promise((resolve, reject) => {
      const timer = window.setTimeout(() => {
        this.waiting.delete(id);
        if (verb !== 'watch' && verb !== 'foresee') {
          this.life('static'); // nobody asked for a look, so nobody is told that it failed
        }
        reject(
          new Failure(t('The kernel does not answer.'), t('Wait until it is idle, or run the cell again.'), 'comm')
        );
      }, PATIENCE[verb]);
      this.waiting.set(id, {
        resolve: data => {
          window.clearTimeout(timer);
          resolve(data);
        },
        reject: failure => {
          window.clearTimeout(timer);
          reject(failure);
        }
      });
      try {
        this.model.send({ id, verb, language: language(), ...more });
      } catch (error) {
        // A host that knows its kernel to be gone says so at once.
        window.clearTimeout(timer);
        this.waiting.delete(id);
        this.life('static');
        reject(failureOf(error));
      }
    });
  }

  dispose(): void {
    this.model.off('msg:custom', this.hear);
    for (const question of this.waiting.values()) {
      question.reject(new Failure(t('The card was closed.')));
    }
    this.waiting.clear();
  }

  private answer(reply: Reply): void {
    this.life('live');
    const question = this.waiting.get(reply.id);
    this.waiting.delete(reply.id);
    if (reply.ok) {
      question?.resolve(reply.data);
    } else {
      const error = reply.error;
      question?.reject(new Failure(error?.error ?? '', error?.remedy, error?.where));
    }
  }
}

function render({ model, el }: { model: WidgetModel; el: HTMLElement }): () => void {
  const comm = new Comm(model, life => card.live(life));
  // A click is code: who shows notebooks may run the cell instead, so that it stays in the notebook.
  const click = async (code: string, otherwise: () => Promise<unknown>) => {
    const detail: CodeRequest = { code };
    const event = new CustomEvent('ekiben:code', { bubbles: true, cancelable: true, composed: true, detail });
    if (el.dispatchEvent(event)) {
      await otherwise();
    } else {
      await detail.done;
      await comm.ask('refresh');
    }
  };
  const carrier: Carrier = {
    tryRows: async rows => (await comm.ask('try', { rows })) as TryAnswer,
    serve: () => click(serveCell(model.get('card').variable), () => comm.ask('serve')),
    freeText: field => click(textCell(model.get('card').variable, field), () => comm.ask('text', { field })),
    build: code =>
      click(code, () => {
        // A build takes minutes, for which the kernel's answers to the card would have to wait.
        throw new Failure(t('This page runs no cells.'), t('Copy the line into a cell and run it.'));
      }),
    stop: async () => {
      await comm.ask('stop');
    },
    watch: async () => (await comm.ask('watch')) as Figures | null,
    foresee: async () => (await comm.ask('foresee')) as SizeEstimate
  };
  const card = new Card(model.get('card'), carrier);
  const changed = () => card.set(model.get('card'));
  // A refresh that nobody answers has told so through `life`.
  const refresh = () => void comm.ask('refresh').catch(() => undefined);
  model.on('change:card', changed);
  // JupyterLab's panel says so when services came or went elsewhere.
  window.addEventListener('ekiben:services', refresh);
  el.append(card.node);
  refresh();
  return () => {
    window.removeEventListener('ekiben:services', refresh);
    model.off('change:card', changed);
    card.dispose();
    comm.dispose();
  };
}

export default { render };
