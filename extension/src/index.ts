/** ekiben in JupyterLab: wiring only. */
import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ILayoutRestorer } from '@jupyterlab/application';
import { ICommandPalette, Notification } from '@jupyterlab/apputils';
import { INotebookTracker, NotebookActions, type NotebookPanel } from '@jupyterlab/notebook';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { ITranslator } from '@jupyterlab/translation';

import type { CodeRequest } from './anywidget';
import { Backend } from './backend';
import { bentoIcon } from './icons';
import { KernelEye } from './kernel';
import { activateAround, insertCell, runBeside, runCell } from './notebook';
import { EkibenPanel } from './panel';
import { translateSettings } from './settings';
import { t } from './words';

const ID = 'ekiben:plugin';
const WRAP = 'ekiben:wrap';
const PANEL = 'ekiben:panel';

const plugin: JupyterFrontEndPlugin<void> = {
  id: ID,
  description: 'Wraps a notebook’s models, and lists services and images.',
  autoStart: true,
  requires: [INotebookTracker, ISettingRegistry],
  // The translator is asked for so that the page's language is known before the first word is said.
  optional: [ICommandPalette, ILayoutRestorer, ITranslator],
  activate
};

function activate(
  app: JupyterFrontEnd,
  notebooks: INotebookTracker,
  registry: ISettingRegistry,
  palette: ICommandPalette | null,
  restorer: ILayoutRestorer | null
): void {
  translateSettings(registry, ID);
  const settings = registry.load(ID);
  let values: { insertCells: boolean; refreshSeconds: number } = { insertCells: true, refreshSeconds: 5 };
  void settings.then(loaded => {
    const read = () => (values = loaded.composite as unknown as typeof values);
    loaded.changed.connect(read);
    read();
  });

  const eyes = watchKernels(notebooks);
  const panel = new EkibenPanel({
    backend: new Backend(app.serviceManager.serverSettings),
    current: () => {
      const shown = notebooks.currentWidget;
      const eye = shown && eyes.get(shown);
      return shown && eye ? { panel: shown, eye } : null;
    },
    run: (shown, code) => (values.insertCells ? runCell(shown, code) : runBeside(app, shown, code)),
    insert: insertCell,
    interval: () => values.refreshSeconds,
    fail: failure => void Notification.error([failure.message, failure.remedy].filter(Boolean).join(' ')),
    tell: sentence => void Notification.success(sentence, { autoClose: 8000 })
  });
  app.shell.add(panel, 'right', { rank: 650, type: 'ekiben' });
  restorer?.add(panel, panel.id);

  const look = () => panel.lookAtRest();
  notebooks.currentChanged.connect(look);
  NotebookActions.executed.connect(look);
  const changed = () => {
    look();
    // The cards of that notebook ask their kernel, and tell where nobody answers any more.
    window.dispatchEvent(new Event('ekiben:services'));
  };
  const restarted = (_context: unknown, status: string) => {
    if (status.endsWith('restarting') || status === 'dead') {
      changed();
    }
  };
  notebooks.widgetAdded.connect((_tracker, { sessionContext }) => {
    sessionContext.kernelChanged.connect(changed);
    sessionContext.statusChanged.connect(restarted);
  });

  app.commands.addCommand(WRAP, {
    label: () => t('Wrap a Model of This Notebook'),
    caption: t('Wrap a model of this notebook as a service'),
    icon: bentoIcon,
    execute: () => {
      app.shell.activateById(panel.id);
      return panel.focusModels();
    }
  });
  app.commands.addCommand(PANEL, {
    label: () => t('Show Models, Services and Images'),
    icon: args => (args['isPalette'] ? undefined : bentoIcon),
    execute: () => app.shell.activateById(panel.id)
  });
  for (const command of [WRAP, PANEL]) {
    palette?.addItem({ command, category: 'ekiben', args: { isPalette: true } });
  }

  // A card's click is code too. Where cells are not wanted the event stays unheard, and the card asks its kernel.
  document.addEventListener('ekiben:code', event => {
    const all: NotebookPanel[] = [];
    notebooks.forEach(each => all.push(each));
    const home = values.insertCells ? activateAround(all, event.target as Node) : null;
    if (home) {
      event.preventDefault();
      const request = (event as CustomEvent<CodeRequest>).detail;
      request.done = runCell(home, request.code);
    }
  });
}

/** An eye on the kernel of each open notebook. */
function watchKernels(notebooks: INotebookTracker): WeakMap<NotebookPanel, KernelEye> {
  const eyes = new WeakMap<NotebookPanel, KernelEye>();
  const open = (shown: NotebookPanel) => {
    const eye = new KernelEye(shown.sessionContext);
    eyes.set(shown, eye);
    shown.disposed.connect(() => eye.dispose());
  };
  notebooks.forEach(open);
  notebooks.widgetAdded.connect((_tracker, shown) => open(shown));
  return eyes;
}

export default plugin;
