import { h } from './dom';

/** A tab: `make` is called when it is first opened, and again after `Tabs.renew`. */
export interface Tab {
  readonly id: string;
  readonly title: () => string;
  readonly make: () => HTMLElement;
}

let groups = 0;

/** A row of tabs after the ARIA pattern: arrow keys move, only the chosen tab is in the tab order. */
export class Tabs {
  readonly node: HTMLElement;
  private readonly buttons: HTMLButtonElement[];
  private readonly panes: HTMLElement[];
  private readonly made = new Set<string>();
  private chosen = 0;

  constructor(
    label: string,
    private readonly tabs: readonly Tab[]
  ) {
    groups += 1;
    const id = (kind: string, tab: Tab) => `ek-${kind}-${groups}-${tab.id}`;
    this.buttons = tabs.map((tab, index) =>
      h(
        'button',
        {
          type: 'button',
          role: 'tab',
          class: 'ek-tab',
          id: id('tab', tab),
          'aria-controls': id('pane', tab),
          onclick: () => this.choose(index)
        },
        tab.title()
      )
    );
    this.panes = tabs.map(tab =>
      h('div', {
        role: 'tabpanel',
        class: 'ek-pane',
        id: id('pane', tab),
        'aria-labelledby': id('tab', tab),
        'data-pane': tab.id
      })
    );
    const list = h('div', { role: 'tablist', class: 'ek-tabs', 'aria-label': label }, this.buttons);
    list.addEventListener('keydown', event => this.key(event));
    this.node = h('div', {}, list, this.panes);
    this.choose(0);
  }

  /** Makes the tabs with these ids anew: at once where shown, else when they are opened. */
  renew(...ids: readonly string[]): void {
    for (const id of ids) {
      this.made.delete(id);
    }
    this.fill();
  }

  private choose(index: number): void {
    this.chosen = index;
    this.buttons.forEach((tab, place) => {
      tab.setAttribute('aria-selected', String(place === index));
      tab.tabIndex = place === index ? 0 : -1;
    });
    this.panes.forEach((pane, place) => (pane.hidden = place !== index));
    this.fill();
  }

  private fill(): void {
    const tab = this.tabs[this.chosen];
    if (tab && !this.made.has(tab.id)) {
      this.made.add(tab.id);
      this.panes[this.chosen]?.replaceChildren(tab.make());
    }
  }

  private key(event: KeyboardEvent): void {
    const last = this.tabs.length - 1;
    const moves: Readonly<Record<string, number>> = {
      ArrowRight: this.chosen === last ? 0 : this.chosen + 1,
      ArrowLeft: this.chosen === 0 ? last : this.chosen - 1,
      Home: 0,
      End: last
    };
    const next = moves[event.key];
    if (next !== undefined) {
      event.preventDefault();
      this.choose(next);
      this.buttons[next]?.focus();
    }
  }
}
