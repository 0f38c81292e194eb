/** SERVICES: what runs, whoever started it. */
import { t } from '../words';
import type { Server } from '../wire';
import { button, copyButton, h } from './dom';
import { address } from './address';
import { bytes, clock, state, times } from './format';
import { rows, section, type Listed, type Logs } from './section';
import { spark, type Pulse } from './watch';

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
  pulses: ReadonlyMap<string, Pulse>,
  act: ServiceActions
): HTMLElement {
  // What runs stands first; of each, as they were started.
  const items = list.items && [...list.items.filter(server => !over(server)), ...list.items.filter(over)];
  const none = t('No service runs. Wrap a model and serve it: it is listed here, whichever notebook started it.');
  return section('services', t('Services'), null, rows({ ...list, items }, none, server => row(server, ending, logs, pulses.get(server.id), act)));
}

function over(server: Server): boolean {
  return server.state === 'failed' || server.state === 'stopped';
}

function row(
  server: Server,
  ending: ReadonlySet<string>,
  logs: Logs,
  pulse: Pulse | undefined,
  act: ServiceActions
): HTMLElement {
  const shown = state(server.state);
  const ended = over(server);
  const ends = ending.has(server.id);
  return h(
    'li',
    { class: 'ek-row', 'data-service': server.id },
    h(
      'div',
      { class: 'ek-row-head' },
      h('strong', { class: 'ek-two', title: server.model }, server.model),
      !ended && h('span', { class: 'ek-dim ek-type' }, address(server, server.model))
    ),
    h(
      'p',
      { class: 'ek-detail ek-live' },
      h(
        'span',
        { class: `ek-state ek-${server.state}` },
        h('span', { 'aria-hidden': 'true' }, shown.mark),
        ` ${shown.word}`
      ),
      h('span', { class: 'ek-ellipsis' }, ['', t('since {time}', { time: clock(server.started) }), ...origin(server)].join(' · ')),
      pulse && pulse.moments.length > 1 && spark(pulse.moments.map(each => each.rate))
    ),
    server.state === 'ready' &&
      h(
        'p',
        { class: 'ek-detail ek-pulse' },
        [pulse?.line(), ...facts(server)].filter(Boolean).join(' · ')
      ),
    server.message && h('p', { class: server.state === 'failed' ? 'ek-problem' : 'ek-detail' }, server.message),
    h(
      'div',
      { class: 'ek-actions' },
      ended
        ? button(t('Dismiss'), () => act.stop(server), {
            key: `stop-${server.id}`,
            disabled: ends,
            name: t('Dismiss {name}', { name: server.model })
          })
        : button(ends ? t('Stopping …') : t('Stop'), () => act.stop(server), {
            key: `stop-${server.id}`,
            disabled: ends,
            ...(ends ? {} : { name: t('Stop {name}', { name: server.model }) })
          }),
      server.state === 'ready' && copyButton(
          t('Copy curl'),
          t('Copied'),
          () => act.curl(server),
          `curl-${server.id}`,
          t('Copy curl of {name}', { name: server.model })
        )
    ),
    logs.fold(server.id, server.model)
  );
}

/** Its memory, and what answers. */
function facts(server: Server): string[] {
  const form = server.speedup > 0 ? t('compiled {speedup}×', { speedup: times(server.speedup) }) : t('native');
  return [...(server.memory > 0 ? [bytes(server.memory)] : []), form];
}

/** The notebook that started it, where one did. */
function origin(server: Server): string[] {
  return server.notebook.split('/').slice(-1).filter(Boolean);
}
