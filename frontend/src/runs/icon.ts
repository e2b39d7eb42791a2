/** The icon of a Hailuo run: a film strip with a play mark. */

import { LabIcon } from '@jupyterlab/ui-components';

function svg(fill: string): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24">
  <path class="jp-icon3 jp-icon-selectable" fill="${fill}" d="M4 4h16a2 2 0 0 1 2 2v12a2 2 0 0 1-2 2H4a2 2 0 0 1-2-2V6a2 2 0 0 1 2-2zm0 2.500v2h2v-2zm0 4.500v2h2v-2zm0 4.500v2h2v-2zm14-9v2h2v-2zm0 4.500v2h2v-2zm0 4.500v2h2v-2zM9.500 8v8l6-4z" fill-rule="evenodd"/>
</svg>`;
}

/** In the theme's colors. */
export const icon = new LabIcon({
  name: 'hailuo-jupyter:run',
  svgstr: svg('#616161')
});

/** For the launcher, which shows images for notebooks; orange, like JupyterLab's notebooks. */
export const iconUrl = `data:image/svg+xml,${encodeURIComponent(svg('#f37726'))}`;
