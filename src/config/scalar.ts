import { getScalarValue, SCALAR_STYLE, type ScalarEvent } from 'js-yaml';
import type { ScalarNode, Span } from './tree.ts';

/** `at` is where an empty value is reported: at its key. */
export function scalar(text: string, event: ScalarEvent, tag: string, at: Span): ScalarNode {
  const content = getScalarValue(text, event);
  const span = scalarSpan(text, event, at);
  if (event.valueStart < 0 && /^["']?\s*:\s+#/.test(text.slice(at.end, at.end + 100))) {
    return { kind: 'scalar', ...span, text: '', value: null, commented: true };
  }
  const plain = event.style === SCALAR_STYLE.PLAIN && tag !== '!' && tag !== '!!str';
  return { kind: 'scalar', ...span, text: content, value: plain ? plainValue(content) : content };
}

/** With quotes, and from the `|` or `>` on for a block. */
function scalarSpan(text: string, event: ScalarEvent, at: Span): Span {
  if (event.valueStart < 0) return at;
  switch (event.style) {
    case SCALAR_STYLE.SINGLE_QUOTED:
    case SCALAR_STYLE.DOUBLE_QUOTED:
      return { start: event.valueStart - 1, end: event.valueEnd + 1 };
    case SCALAR_STYLE.LITERAL_BLOCK:
    case SCALAR_STYLE.FOLDED_BLOCK: {
      const sign = event.style === SCALAR_STYLE.LITERAL_BLOCK ? '|' : '>';
      return { start: Math.max(at.start, text.lastIndexOf(sign, event.valueStart - 1)), end: event.valueEnd };
    }
    default:
      return { start: event.valueStart, end: event.valueEnd };
  }
}

/** YAML 1.2 core, as far as a configuration needs it. */
function plainValue(text: string): string | number | boolean | null {
  if (/^(?:|~|null|Null|NULL)$/.test(text)) return null;
  if (/^(?:true|True|TRUE)$/.test(text)) return true;
  if (/^(?:false|False|FALSE)$/.test(text)) return false;
  if (/^[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?$/.test(text)) {
    const number = Number(text);
    return Number.isFinite(number) ? number : text;
  }
  return text;
}
