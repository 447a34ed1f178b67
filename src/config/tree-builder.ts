import { EVENT_ID, type Event } from 'js-yaml';
import { Lines } from './lines.ts';
import { type Finding, fault } from './problem.ts';
import { scalar } from './scalar.ts';
import type { Entry, ListNode, MapNode, ScalarNode, Span, TreeNode } from './tree.ts';

/** The tags that say what the text says anyway. */
const CORE_TAGS = new Set(['', '!', '!!str', '!!int', '!!float', '!!bool', '!!null', '!!map', '!!seq']);

/** Far more values than any file gets from references; a handful of nested ones ("billion laughs") passes it at once. */
const MAX_REFERRED = 20_000;

export interface Parsed {
  /** Undefined: nothing but comments. */
  readonly root: TreeNode | undefined;
  readonly found: readonly Finding[];
}

/** Stops the building of a tree that cannot be used at all. */
export class Unusable extends Error {
  readonly finding: Finding;
  constructor(finding: Finding) {
    super(finding.message);
    this.finding = finding;
  }
}

/** Events to tree in one walk; the cursor is the only state. */
export class TreeBuilder {
  readonly #text: string;
  readonly #lines: Lines;
  readonly #events: readonly Event[];
  readonly #anchors = new Map<string, { node: TreeNode; size: number } | 'open'>();
  readonly #found: Finding[] = [];
  readonly #path: (string | number)[] = [];
  #cursor = 0;
  #size = 0;
  #referred = 0;

  constructor(text: string, events: readonly Event[]) {
    this.#text = text;
    this.#lines = new Lines(text);
    this.#events = events;
  }

  build(): Parsed {
    const roots: TreeNode[] = [];
    while (this.#cursor < this.#events.length) {
      this.#cursor++; // document
      this.#anchors.clear();
      while (!this.#atPop()) {
        const node = this.#node({ start: 0, end: 0 });
        if (node.kind !== 'scalar' || node.value !== null) roots.push(node);
      }
      this.#cursor++; // pop
    }
    const second = roots[1];
    if (second) {
      throw this.#unusable(
        'SEVERAL_DOCUMENTS',
        'a second YAML document starts here',
        second,
        'one document: remove the line "---" and what is not needed',
      );
    }
    return { root: roots[0], found: this.#found };
  }

  #atPop(): boolean {
    return this.#events[this.#cursor]?.type === EVENT_ID.POP;
  }

  /** `at` is where an empty value is reported: at its key. */
  #node(at: Span): TreeNode {
    const event = this.#events[this.#cursor++];
    if (!event) throw new Error('YAML events ended early');
    if (event.type === EVENT_ID.ALIAS) return this.#alias(this.#text.slice(event.anchorStart, event.anchorEnd), event);
    if (event.type === EVENT_ID.DOCUMENT || event.type === EVENT_ID.POP) throw new Error('unexpected YAML event');
    const anchor = event.anchorStart < 0 ? undefined : this.#text.slice(event.anchorStart, event.anchorEnd);
    if (anchor !== undefined) this.#anchors.set(anchor, 'open');
    const before = this.#size;
    this.#size++;
    const node = this.#content(event, at);
    if (anchor !== undefined) this.#anchors.set(anchor, { node, size: this.#size - before });
    return node;
  }

  #content(event: Extract<Event, { tagStart: number }>, at: Span): TreeNode {
    const tag = event.tagStart < 0 ? '' : this.#text.slice(event.tagStart, event.tagEnd);
    if (!CORE_TAGS.has(tag)) this.#mark('!', { start: event.tagStart, end: event.tagEnd });
    if (event.type === EVENT_ID.MAPPING) return this.#map(event.start);
    if (event.type === EVENT_ID.SEQUENCE) return this.#list(event.start);
    const node = scalar(this.#text, event, tag, at);
    const onlyAnchor = event.anchorStart >= 0 && event.valueStart < 0;
    if (onlyAnchor) this.#mark('&', { start: event.anchorStart - 1, end: event.anchorEnd });
    return node;
  }

  /** Hardly ever meant: a password that begins with what YAML takes for a tag or an anchor. */
  #mark(sign: string, span: Span): void {
    const expected = 'single quotes around the value';
    this.#found.push(fault('UNQUOTED', [...this.#path], `a value cannot begin with ${sign}`, { span, expected }));
  }

  #alias(name: string, span: { anchorStart: number; anchorEnd: number }): TreeNode {
    const at = { start: span.anchorStart - 1, end: span.anchorEnd };
    const anchored = this.#anchors.get(name);
    if (anchored === undefined) {
      const message = 'a value that begins with * is a reference, and nothing above has that name';
      throw this.#unusable('UNKNOWN_ALIAS', message, at, 'single quotes around the value');
    }
    if (anchored === 'open') throw this.#unusable('RECURSIVE_ALIAS', 'this reference contains itself', at);
    this.#refer(anchored.size, at);
    return { ...anchored.node, ...at };
  }

  #refer(size: number, at: Span): void {
    this.#size += size;
    this.#referred += size;
    if (this.#referred <= MAX_REFERRED) return;
    const message = `references make more than ${MAX_REFERRED} values of this file`;
    throw this.#unusable('TOO_LARGE', message, at, 'fewer references (*name) to other references');
  }

  #list(start: number): ListNode {
    const items: TreeNode[] = [];
    let at = start;
    while (!this.#atPop()) {
      const item = this.#below(items.length, () => this.#node({ start: at, end: at + 1 }));
      items.push(item);
      // An empty item is reported at its dash.
      at = Math.max(this.#text.indexOf('-', item.end), start);
    }
    this.#cursor++;
    return { kind: 'list', start, end: items.at(-1)?.end ?? start + 1, items };
  }

  #map(start: number): MapNode {
    const entries: Entry[] = [];
    const merged: Entry[] = [];
    const own = new Map<string, Span>();
    while (!this.#atPop()) {
      const key = this.#node({ start, end: start + 1 });
      if (key.kind !== 'scalar') throw this.#badKey(key);
      const value = this.#below(key.text, () => this.#node(key));
      const first = own.get(key.text);
      if (key.text === '<<') merged.push(...this.#mergedEntries(value));
      else entries.push({ key: key.text, keySpan: { start: key.start, end: key.end }, value });
      if (first) this.#duplicate(key, first);
      else own.set(key.text, key);
    }
    this.#cursor++;
    for (const entry of merged) {
      if (!own.has(entry.key)) entries.push(entry);
      own.set(entry.key, entry.keySpan);
    }
    return { kind: 'map', start, end: entries.at(-1)?.value.end ?? start + 1, entries };
  }

  #below<T>(step: string | number, read: () => T): T {
    this.#path.push(step);
    const result = read();
    this.#path.pop();
    return result;
  }

  /** `{{ … }}` is YAML for a section whose key is a section. */
  #badKey(key: TreeNode): Unusable {
    if (this.#text[key.start - 1] === '{' && this.#text[key.start] === '{') {
      const span = { start: key.start - 1, end: this.#text.indexOf('}}', key.start) + 2 };
      return this.#unusable(
        'TEMPLATE',
        'an expression of a template was left in',
        span,
        `the value, or \${NAME} for the environment`,
      );
    }
    return this.#unusable(
      'BAD_KEY',
      'a list or a section where a key belongs',
      key,
      'quotes around a value that begins with { or [',
    );
  }

  #duplicate(key: ScalarNode, first: Span): void {
    const { line } = this.#lines.placeOf(first.start);
    const message = `a second time; the first is on line ${line}`;
    const details = { span: key, expected: 'each key once' };
    this.#found.push(fault('DUPLICATE_KEY', [...this.#path, key.text], message, details));
  }

  #unusable(code: string, message: string, span: Span, expected?: string): Unusable {
    return new Unusable(fault(code, [...this.#path], message, { span, expected }));
  }

  #mergedEntries(value: TreeNode): readonly Entry[] {
    const sources = value.kind === 'list' ? value.items : [value];
    return sources.flatMap((source) => {
      if (source.kind === 'map') return source.entries;
      throw this.#unusable('BAD_MERGE', '<< takes a reference to a section', source, '<<: *name');
    });
  }
}
