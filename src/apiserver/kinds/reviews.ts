// The kinds of authentication.k8s.io and authorization.k8s.io: created, answered, and never there (access/review.ts).
import type { KubeObject } from '../../client/resource-api.ts';
import {
  reviewAccess,
  reviewLocalAccess,
  reviewSelf,
  reviewSelfAccess,
  reviewSelfRules,
  reviewToken,
} from '../access/review.ts';
import { defineKind, type Kind, type Review } from '../kind.ts';
import { nameColumn } from './columns.ts';

type Asked<T> = {
  readonly group: 'authentication' | 'authorization';
  readonly kind: string;
  readonly scope?: 'Namespaced';
  readonly review: Review<T>;
};

function reviewKind<T extends KubeObject>({ group, kind, scope, review }: Asked<T>): Kind {
  return defineKind<T>({
    group: `${group}.k8s.io`,
    version: 'v1',
    kind,
    plural: `${kind.toLowerCase()}s`,
    singular: kind.toLowerCase(),
    namespaced: scope === 'Namespaced',
    schema: kind,
    verbs: ['create'],
    shortNames: [],
    categories: [],
    subresources: [],
    nameRule: 'subdomain',
    selectableFields: [],
    hasGeneration: false,
    strategy: { validate: () => [], review },
    columns: [nameColumn<T>()],
  });
}

export const REVIEW_KINDS: readonly Kind[] = [
  reviewKind({ group: 'authentication', kind: 'SelfSubjectReview', review: reviewSelf }),
  reviewKind({ group: 'authentication', kind: 'TokenReview', review: reviewToken }),
  reviewKind({
    group: 'authorization',
    kind: 'LocalSubjectAccessReview',
    scope: 'Namespaced',
    review: reviewLocalAccess,
  }),
  reviewKind({ group: 'authorization', kind: 'SelfSubjectAccessReview', review: reviewSelfAccess }),
  reviewKind({ group: 'authorization', kind: 'SelfSubjectRulesReview', review: reviewSelfRules }),
  reviewKind({ group: 'authorization', kind: 'SubjectAccessReview', review: reviewAccess }),
];
