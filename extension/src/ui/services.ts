/** SERVICES: what runs, whoever started it. */
import { t } from '../words';
import type { Server } from '../wire';
import { button, copyButton, h } from './dom';
import { clock, port, state } from './format';
import { rows, section, type Listed, type Logs } from './section';

/** What the section lets the person do. */
export interface ServiceActions {
  stop(server: Server): void;
  curl(server: Server): Promise<string>;
}

/** The section; `ending` are the ids that are being stopped. */
export function servicesSection(
  list: Listed<Server>,
  ending: ReadonlySet<string>,
  logs: Logs,
  act: ServiceActions
): HTMLElement {
  const none = t('No service runs. Wrap a model and serve it: it is listed here, whichever notebook started it.');
  return section('services', t('Services'), null, rows(list, none, server => row(server, ending, logs, act)));
}

function row(server: Server, ending: ReadonlySet<string>, logs: Logs, act: ServiceActions): HTMLElement {
  const shown = state(server.state);
  const over = server.state === 'failed' || server.state === 'stopped';
  const ends = ending.has(server.id);
  return h(
    'li',
    { class: 'ek-row', 'data-service': server.id },
    h(
      'div',
      { class: 'ek-row-head' },
      h('strong', { class: 'ek-ellipsis', title: server.model }, server.model),
      h('span', { class: 'ek-dim ek-type', title: server.url }, port(server.url))
    ),
    h(
      'p',
      { class: 'ek-detail' },
      h(
        'span',
        { class: `ek-state ek-${server.state}` },
        h('span', { 'aria-hidden': 'true' }, shown.mark),
        ` ${shown.word}`
      ),
      ['', t('since {time}', { time: clock(server.started) }), ...origin(server)].join(' · ')
    ),
    server.message && h('p', { class: server.state === 'failed' ? 'ek-problem' : 'ek-detail' }, server.message),
    h(
      'div',
      { class: 'ek-actions' },
      over
        ? button(t('Dismiss'), () => act.stop(server), { key: `stop-${server.id}`, disabled: ends })
        : button(ends ? t('Stopping …') : t('Stop'), () => act.stop(server), { key: `stop-${server.id}`, disabled: ends }),
      server.state === 'ready' && copyButton(t('Copy curl'), t('Copied'), () => act.curl(server), `curl-${server.id}`)
    ),
    logs.fold(server.id)
  );
}

/** The notebook that started it, where one did. */
function origin(server: Server): string[] {
  return server.notebook.split('/').slice(-1).filter(Boolean);
}
