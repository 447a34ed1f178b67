import type { BitbucketProject } from '../bitbucket/types.ts';
import { fields, flag, text, wholeNumber } from './fields.ts';
import { linksRecord } from './links.ts';
import type { ProjectRecord } from './types.ts';

export function projectRecord(project: BitbucketProject): ProjectRecord {
  return fields<ProjectRecord>({
    key: project.key.toWellFormed(),
    id: wholeNumber(project.id),
    name: text(project.name),
    description: text(project.description),
    public: flag(project.public),
    type: text(project.type),
    links: linksRecord(project.links),
  });
}
