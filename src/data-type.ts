/** The data types of a scan, in the order in which SEI lists their parts in a result (sei-protocol §3.4). */
export const dataTypes = ['commits', 'tags', 'pull_requests', 'repositories'] as const;

export type DataType = (typeof dataTypes)[number];
