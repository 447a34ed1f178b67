import { type Answer, jsonAnswer } from './answer.ts';
import { type Call, pageAnswer, param, repositoryOf, wordParam } from './call.ts';
import type { Repository } from './catalogue.ts';
import { versionAtLeast } from './options.ts';

export function projects(call: Call): Answer {
  const { catalogue, representation, settings } = call.world;
  const name = wordParam(call, 'name');
  const found = catalogue.projects().filter((project) => !name || project.name.toUpperCase().includes(name));
  return pageAnswer(call, found, settings.caps.repositories, (project) => representation.project(project));
}

export function project(call: Call): Answer {
  const { catalogue, representation } = call.world;
  return jsonAnswer(representation.project(catalogue.project(param(call, 'key'))));
}

/** Archived ones too, always. */
export function projectRepositories(call: Call): Answer {
  const { catalogue } = call.world;
  const { key } = catalogue.project(param(call, 'key'));
  return listed(
    call,
    catalogue.repositories().filter((repository) => repository.project.key === key),
  );
}

export function repositories(call: Call): Answer {
  const { catalogue, settings } = call.world;
  const knowsArchived = versionAtLeast(settings.version, 8, 0);
  const archived = knowsArchived ? (wordParam(call, 'archived') ?? 'ACTIVE') : 'ALL';
  const projectKey = knowsArchived ? wordParam(call, 'projectkey') : undefined;
  const projectName = wordParam(call, 'projectname');
  const name = wordParam(call, 'name');
  const state = wordParam(call, 'state');
  const visibility = wordParam(call, 'visibility');
  const found = catalogue.repositories().filter((repository) => {
    const { options } = repository;
    if (archived !== 'ALL' && repository.isArchived !== (archived === 'ARCHIVED')) return false;
    if (projectKey && repository.project.key.toUpperCase() !== projectKey) return false;
    if (projectName && !repository.project.name.toUpperCase().includes(projectName)) return false;
    if (name && !repository.name.toUpperCase().includes(name)) return false;
    if (state && (options.state ?? 'AVAILABLE') !== state) return false;
    return !visibility || (options.public ?? false) === (visibility === 'PUBLIC');
  });
  return listed(call, found);
}

export function repository(call: Call): Answer {
  return jsonAnswer(call.world.representation.repository(repositoryOf(call)));
}

export function forks(call: Call): Answer {
  const origin = repositoryOf(call);
  return listed(
    call,
    call.world.catalogue.repositories().filter((candidate) => candidate.origin === origin),
  );
}

function listed(call: Call, found: readonly Repository[]): Answer {
  const { representation, settings } = call.world;
  return pageAnswer(call, found, settings.caps.repositories, (one) => representation.repository(one));
}
