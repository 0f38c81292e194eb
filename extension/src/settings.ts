/** The words of ekiben's settings page in the language of the page. */
import type { ISettingRegistry } from '@jupyterlab/settingregistry';

import { t } from './words';

/** `schema` with its titles and descriptions translated; JupyterLab reads catalogues of its own for them only. */
export function translated(schema: ISettingRegistry.ISchema): ISettingRegistry.ISchema {
  const said = <T extends { title?: string; description?: string }>(one: T): T => ({
    ...one,
    ...(one.title ? { title: t(one.title) } : {}),
    ...(one.description ? { description: t(one.description) } : {})
  });
  const properties = Object.entries(schema.properties ?? {}).map(([name, one]) => [name, said(one)]);
  return { ...said(schema), properties: Object.fromEntries(properties) };
}

/** Has the settings of `plugin` translated as they are read. */
export function translateSettings(registry: ISettingRegistry, plugin: string): void {
  registry.transform(plugin, { fetch: found => ({ ...found, schema: translated(found.schema) }) });
}
