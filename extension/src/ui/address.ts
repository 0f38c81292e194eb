/** Where a service listens: a link to its page where this browser can reach it. */
import { t } from '../words';
import type { Server } from '../wire';
import { h } from './dom';
import { port } from './format';

const LOOPBACK = /^(localhost|127(\.\d+){3}|\[::1\])$/;

/**
 * `:49231`, for the service that people know as `name`. Services listen on the loopback of the kernel's
 * machine, which is the browser's only where this page came from there too, and not from a hub.
 */
export function address(server: Server, name: string): HTMLElement {
  const at = port(server.url);
  return server.state === 'ready' && LOOPBACK.test(window.location.hostname)
    ? h(
        'a',
        {
          class: 'ek-link',
          href: server.url,
          target: '_blank',
          rel: 'noopener',
          title: server.url,
          'aria-label': t('Page of {name}, {port}', { name, port: at }),
          'data-key': `page-${server.id}-${name}`
        },
        at
      )
    : h('span', { title: server.url }, at);
}
