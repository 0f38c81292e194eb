import type { Field } from '../wire';
import { s } from './dom';

/** The sample's histogram as small bars; a picture only, its numbers stand beside it as text. */
export function histogram(field: Field): SVGElement | null {
  const counts = field.counts;
  const top = Math.max(...counts, 0);
  if (counts.length < 2 || top === 0) {
    return null;
  }
  const bars = counts.map((count, index) => {
    const height = count === 0 ? 0 : Math.max(4, (count / top) * 100);
    return s('rect', { x: index + 0.06, width: 0.88, y: 100 - height, height });
  });
  return s(
    'svg',
    { class: 'ek-histogram', viewBox: `0 0 ${counts.length} 100`, preserveAspectRatio: 'none', 'aria-hidden': 'true' },
    bars
  );
}
