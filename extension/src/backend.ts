/** The Jupyter server's side of ekiben: services, jobs and images over REST, under any base URL. */
import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';

import { Failure } from './ui/failure';
import type { Figures } from './ui/watch';
import type { Contract, Image, Job, Server } from './wire';
import { language, t } from './words';

/** The calls that the panel makes. Each rejects with a Failure. */
export class Backend {
  constructor(private readonly settings: ServerConnection.ISettings) {}

  async services(): Promise<readonly Server[]> {
    return (await this.call<{ services: readonly Server[] }>('services')).services;
  }

  async jobs(): Promise<readonly Job[]> {
    return (await this.call<{ jobs: readonly Job[] }>('jobs')).jobs;
  }

  async images(): Promise<readonly Image[]> {
    return (await this.call<{ images: readonly Image[] }>('images')).images;
  }

  /** Removes an image, from the engine that has it too. */
  async removeImage(reference: string): Promise<void> {
    await this.call(`images?reference=${encodeURIComponent(reference)}`, 'DELETE');
  }

  /** Stops a service, or forgets one that failed. */
  async stop(id: string): Promise<void> {
    await this.call(`services/${encodeURIComponent(id)}`, 'DELETE');
  }

  /** Cancels a job, or dismisses one that has ended. */
  async cancel(id: string): Promise<void> {
    await this.call(`jobs/${encodeURIComponent(id)}`, 'DELETE');
  }

  /** The end of a log. */
  async log(kind: 'services' | 'jobs', id: string): Promise<string> {
    return (await this.call<{ log: string }>(`${kind}/${encodeURIComponent(id)}/log?tail=200`)).log;
  }

  /** What a service counted since it started. */
  async watch(id: string): Promise<Figures> {
    return this.call<Figures>(`services/${encodeURIComponent(id)}/watch`);
  }

  async contract(id: string): Promise<Contract> {
    return this.call<Contract>(`services/${encodeURIComponent(id)}/contract`);
  }

  private async call<T>(path: string, method = 'GET'): Promise<T> {
    const url = URLExt.join(this.settings.baseUrl, 'ekiben', path);
    const headers = { 'Accept-Language': language() === 'zh_CN' ? 'zh-CN' : 'en' };
    let response: Response;
    try {
      response = await ServerConnection.makeRequest(url, { method, headers, cache: 'no-store' }, this.settings);
    } catch (error) {
      if (error instanceof ServerConnection.NetworkError) {
        throw new Failure(t('The Jupyter server does not answer.'), t('Look whether it still runs.'));
      }
      throw error;
    }
    if (response.status === 204) {
      return undefined as T;
    }
    const body: unknown = await response.json().catch(() => null);
    if (response.ok && body !== null) {
      return body as T;
    }
    throw failure(response.status, body);
  }
}

function failure(status: number, body: unknown): Failure {
  const told = body as { error?: string; remedy?: string; where?: string } | null;
  if (told?.error) {
    return new Failure(told.error, told.remedy, told.where);
  }
  if (status === 404) {
    return new Failure(
      t('The Jupyter server runs without ekiben’s server extension.'),
      t('Run “jupyter server extension enable ekiben” where Jupyter is installed, and start it again.')
    );
  }
  return new Failure(t('The Jupyter server answered with status {status}.', { status }));
}
