import { type Event, parseEvents, YAMLException } from 'js-yaml';
import { explainSyntax } from './syntax.ts';
import { type Parsed, TreeBuilder, Unusable } from './tree-builder.ts';

const MAX_DEPTH = 32;

/** Text to tree. A file that is not YAML at all gives no root and one problem that says where reading stopped. */
export function parse(text: string): Parsed {
  let events: Event[];
  try {
    events = parseEvents(text, { maxDepth: MAX_DEPTH });
  } catch (error) {
    if (!(error instanceof YAMLException)) throw error;
    return { root: undefined, found: [explainSyntax(text, error.reason, error.mark?.position ?? 0)] };
  }
  try {
    return new TreeBuilder(text, events).build();
  } catch (error) {
    if (!(error instanceof Unusable)) throw error;
    return { root: undefined, found: [error.finding] };
  }
}
