/** A click is code: cells are inserted and run in the notebook that they belong to. */
import { MainAreaWidget } from '@jupyterlab/apputils';
import type { JupyterFrontEnd } from '@jupyterlab/application';
import { NotebookActions, type NotebookPanel } from '@jupyterlab/notebook';
import { SimplifiedOutputArea, OutputAreaModel } from '@jupyterlab/outputarea';

import { bentoIcon } from './icons';
import { t } from './words';

/** Inserts a cell with `code` below the active one and shows it. */
export function insertCell(panel: NotebookPanel, code: string): void {
  const notebook = panel.content;
  NotebookActions.insertBelow(notebook);
  notebook.activeCell?.model.sharedModel.setSource(code);
  notebook.deselectAll();
}

/** Inserts a cell below the active one and runs it; resolves when it has run. */
export async function runCell(panel: NotebookPanel, code: string): Promise<void> {
  insertCell(panel, code);
  const ran = NotebookActions.run(panel.content, panel.sessionContext);
  void panel.content.scrollToItem(panel.content.activeCellIndex, 'smart');
  await ran;
}

/** Runs `code` in the kernel without a cell; what it shows comes in a tab beside the notebook. */
export async function runBeside(app: JupyterFrontEnd, panel: NotebookPanel, code: string): Promise<void> {
  const area = new SimplifiedOutputArea({
    model: new OutputAreaModel({ trusted: true }),
    // The notebook's own registry: it knows the notebook's widgets, the application's does not.
    rendermime: panel.content.rendermime
  });
  const main = new MainAreaWidget({ content: area });
  main.title.label = t('ekiben: {name}', { name: panel.title.label });
  main.title.icon = bentoIcon;
  main.addClass('ek-beside-notebook');
  app.shell.add(main, 'main', { mode: 'split-right', ref: panel.id });
  await SimplifiedOutputArea.execute(code, area, panel.sessionContext);
}

/** The notebook whose outputs hold `node`; the cell around it becomes the active one. */
export function activateAround(panels: readonly NotebookPanel[], node: Node): NotebookPanel | null {
  for (const panel of panels) {
    const index = panel.content.widgets.findIndex(cell => cell.node.contains(node));
    if (index >= 0) {
      panel.content.activeCellIndex = index;
      return panel;
    }
  }
  return null;
}
