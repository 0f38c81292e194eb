/** Looks at a notebook kernel's variables, also while a cell runs. */
import type { ISessionContext } from '@jupyterlab/apputils';
import type { Kernel } from '@jupyterlab/services';

import type { Snapshot } from './wire';
import { language } from './words';

/** What a look found. */
export type Look =
  | { readonly state: 'none' | 'waiting' | 'no-kernel' | 'busy' }
  | { readonly state: 'missing' }
  | { readonly state: 'language'; readonly name: string }
  | { readonly state: 'failed'; readonly message: string }
  | { readonly state: 'ready'; readonly snapshot: Snapshot; readonly taken: readonly string[] };

/** Names that the inserted cells use, to be looked up among the kernel's own. */
const NAMES = ['ekiben', 'box'];

/** A reply of `user_expressions` to one expression. */
type Evaluated =
  | { readonly status: 'ok'; readonly data: Readonly<Record<string, unknown>> }
  | { readonly status: 'error'; readonly ename: string; readonly evalue: string };

/**
 * Keeps a clone of the kernel's connection with a subshell of its own. It is made while the kernel is
 * idle, since a kernel that runs a cell does not answer the clone's first questions.
 */
export class KernelEye {
  private clone: Kernel.IKernelConnection | null = null;
  private making: Promise<void> | null = null;

  constructor(private readonly context: ISessionContext) {
    context.kernelChanged.connect(this.renew, this);
    context.statusChanged.connect(this.watch, this);
    this.renew();
  }

  dispose(): void {
    this.context.kernelChanged.disconnect(this.renew, this);
    this.context.statusChanged.disconnect(this.watch, this);
    this.drop();
  }

  /** What the kernel holds now. */
  async look(): Promise<Look> {
    const kernel = this.context.session?.kernel;
    if (!kernel) {
      const none = this.context.hasNoKernel && this.context.kernelDisplayStatus !== 'initializing';
      return { state: none ? 'no-kernel' : 'waiting' };
    }
    if (kernel.status === 'starting' || kernel.status === 'restarting' || kernel.status === 'autorestarting') {
      return { state: 'waiting' };
    }
    if (kernel.status === 'dead') {
      return { state: 'no-kernel' };
    }
    if (!this.clone && kernel.status === 'busy') {
      return { state: 'busy' };
    }
    const info = await kernel.info;
    if (info.language_info.name !== 'python') {
      return { state: 'language', name: info.language_info.name };
    }
    return this.ask(this.clone ?? kernel);
  }

  private async ask(kernel: Kernel.IKernelConnection): Promise<Look> {
    const lang = language();
    const future = kernel.requestExecute({
      code: '',
      silent: true,
      store_history: false,
      user_expressions: {
        look: `__import__('ekiben.snapshot', fromlist=['look']).look(globals(), '${lang}')`,
        taken: `[name for name in ${JSON.stringify(NAMES)} if name in globals()]`
      }
    });
    const reply = await future.done;
    if (reply.content.status !== 'ok') {
      return { state: 'failed', message: 'evalue' in reply.content ? String(reply.content.evalue) : '' };
    }
    const found = reply.content.user_expressions as unknown as Readonly<Record<'look' | 'taken', Evaluated>>;
    if (found.look.status === 'error') {
      return found.look.ename === 'ModuleNotFoundError' && found.look.evalue.includes("'ekiben")
        ? { state: 'missing' }
        : { state: 'failed', message: `${found.look.ename}: ${found.look.evalue}` };
    }
    const names = found.taken.status === 'ok' ? String(found.taken.data['text/plain']) : '';
    return {
      state: 'ready',
      snapshot: found.look.data['application/json'] as Snapshot,
      taken: NAMES.filter(name => names.includes(`'${name}'`))
    };
  }

  /** A restarted kernel has lost its subshells. */
  private watch(_context: ISessionContext, status: Kernel.Status): void {
    if (status === 'restarting' || status === 'autorestarting' || status === 'dead') {
      this.drop();
    } else if (status === 'idle' && !this.clone) {
      this.renew();
    }
  }

  private renew(): void {
    const kernel = this.context.session?.kernel;
    if (this.clone?.id !== kernel?.id) {
      this.drop();
    }
    if (kernel && !this.clone && !this.making) {
      this.making = this.make(kernel).finally(() => (this.making = null));
    }
  }

  private async make(kernel: Kernel.IKernelConnection): Promise<void> {
    await kernel.info;
    if (!kernel.supportsSubshells || kernel.isDisposed) {
      return;
    }
    const clone = kernel.clone();
    await clone.info;
    const reply = await clone.requestCreateSubshell({}).done;
    if (kernel.isDisposed || this.context.session?.kernel?.id !== kernel.id) {
      clone.dispose();
      return;
    }
    clone.subshellId = reply.content.subshell_id;
    this.clone = clone;
  }

  private drop(): void {
    this.clone?.dispose();
    this.clone = null;
  }
}
