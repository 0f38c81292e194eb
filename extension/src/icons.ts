import { LabIcon } from '@jupyterlab/ui-components';

/** A boxed lunch with its compartments. */
export const bentoIcon = new LabIcon({
  name: 'ekiben:bento',
  svgstr:
    '<svg xmlns="http://www.w3.org/2000/svg" width="16" height="16" viewBox="0 0 16 16">' +
    '<path class="jp-icon3" fill="#616161" fill-rule="evenodd" d="M3 2h10a2 2 0 0 1 2 2v8a2 2 0 0 1-2 2H3a2 2 0 0 ' +
    '1-2-2V4a2 2 0 0 1 2-2zm-.5 2.2v3.3h5v-4H3.2a.7.7 0 0 0-.7.7zm0 4.8v2.8c0 .4.3.7.7.7h4.3V9zM9 3.5v9h3.8a.7.7 ' +
    '0 0 0 .7-.7V4.2a.7.7 0 0 0-.7-.7zm2.25 3a1.5 1.5 0 1 1 0 3 1.5 1.5 0 0 1 0-3z"/></svg>'
});
