/** What SEI will not take as it is, in a form that it may take. */
export interface SplitPage {
  readonly first: Buffer;
  readonly firstItems: number;
  /** Absent where there was only one item, which was made smaller. */
  readonly second?: Buffer;
  readonly secondItems?: number;
}

type Item = Record<string, unknown>;
type Group = Record<string, unknown>;

const lists = ['commits', 'pullRequests', 'tags'] as const;

/**
 * Cuts a page in two, item by item. A page of one item loses the list of its files, which is what makes an item large:
 * the counts of its lines stay. Undefined: there is nothing left to leave out.
 *
 * @param secondNumber of the page that the second half becomes
 */
export function splitPage(body: Uint8Array, secondNumber: number): SplitPage | undefined {
  const page = JSON.parse(Buffer.from(body).toString('utf8')) as {
    _metadata: Record<string, unknown>;
    records: Group[];
  };
  const items = page.records.flatMap(itemsOf);
  if (items.length > 1) {
    const half = Math.ceil(items.length / 2);
    const [first, second] = [items.slice(0, half), items.slice(half)];
    return {
      first: bodyOf(page._metadata, first),
      firstItems: first.length,
      second: bodyOf({ ...page._metadata, page_number: secondNumber }, second),
      secondItems: second.length,
    };
  }
  const [only] = items;
  if (only === undefined || !dropFiles(only.item)) return undefined;
  return { first: bodyOf(page._metadata, [only]), firstItems: 1 };
}

interface Placed {
  readonly group: Group;
  readonly list: (typeof lists)[number] | undefined;
  readonly item: Item;
}

function itemsOf(group: Group): Placed[] {
  const list = lists.find((name) => Array.isArray(group[name]));
  if (list === undefined) return [{ group, list, item: group }];
  return (group[list] as Item[]).map((item) => ({ group, list, item }));
}

function bodyOf(metadata: Record<string, unknown>, items: readonly Placed[]): Buffer {
  const records = new Map<Group, Group>();
  for (const { group, list, item } of items) {
    if (list === undefined) {
      records.set(group, group);
      continue;
    }
    const record = records.get(group) ?? { ...group, [list]: [] };
    (record[list] as Item[]).push(item);
    records.set(group, record);
  }
  return Buffer.from(JSON.stringify({ _metadata: metadata, records: [...records.values()], count: records.size }));
}

/** Of the item and, in a pull request, of its commits; false where there are none. */
function dropFiles(item: Item): boolean {
  const owners = [item, ...(Array.isArray(item.commits) ? (item.commits as Item[]) : [])];
  let hasDropped = false;
  for (const owner of owners) {
    if (!Array.isArray(owner.files) || owner.files.length === 0) continue;
    owner.files = [];
    hasDropped = true;
  }
  return hasDropped;
}
