// The questions about access that are asked as objects and answered at once: who is behind a token, who am I, may I, may
// somebody, what may I. Nothing of them is stored. The same authenticator and authorizer answer as for every request.
// https://kubernetes.io/docs/reference/access-authn-authz/authorization/#checking-api-access
import { errorText } from '../../base/errors.ts';
import type {
  LocalSubjectAccessReview,
  NonResourceAttributes,
  ResourceAttributes,
  SelfSubjectAccessReview,
  SelfSubjectReview,
  SelfSubjectRulesReview,
  SubjectAccessReview,
  SubjectAccessReviewStatus,
  TokenReview,
} from '../../kube/api-types.ts';
import { type FieldError, invalid, invalidError, required } from '../../kube/field-error.ts';
import { badRequest } from '../api-error.ts';
import type { Review, ReviewContext } from '../kind.ts';
import type { Attributes } from './attributes.ts';
import { authorize } from './authorizer.ts';
import { rulesOfUser } from './rbac.ts';
import { authenticateToken, DEFAULT_AUDIENCES } from './service-account-tokens.ts';
import { AUTHENTICATED, type User } from './user.ts';

type AccessSpec = {
  readonly resourceAttributes?: ResourceAttributes | undefined;
  readonly nonResourceAttributes?: NonResourceAttributes | undefined;
};

const GROUP = 'authorization.k8s.io';

function refuse(kind: string, errors: readonly FieldError[]): void {
  if (errors.length > 0) throw invalidError({ group: GROUP, kind, name: '' }, errors);
}

/** Exactly one of the two is asked. */
function checkSpec({ resourceAttributes, nonResourceAttributes }: AccessSpec): readonly FieldError[] {
  if (resourceAttributes !== undefined && nonResourceAttributes !== undefined) {
    const why = 'cannot be specified in combination with resourceAttributes';
    return [invalid('spec.nonResourceAttributes', nonResourceAttributes, why)];
  }
  if (resourceAttributes !== undefined || nonResourceAttributes !== undefined) return [];
  const why = 'exactly one of nonResourceAttributes or resourceAttributes must be specified';
  return [invalid('spec.resourceAttributes', null, why)];
}

function attributesOf({ resourceAttributes, nonResourceAttributes }: AccessSpec): Attributes {
  if (resourceAttributes === undefined) {
    const { path = '', verb = '' } = nonResourceAttributes ?? {};
    return { type: 'path', path, verb };
  }
  const { verb = '', group = '', resource = '', subresource, namespace, name } = resourceAttributes;
  return {
    type: 'resource',
    verb,
    group,
    resource,
    subresource: subresource || undefined,
    namespace: namespace || undefined,
    name: name || undefined,
  };
}

function answer(user: User, spec: AccessSpec, { roles }: ReviewContext): SubjectAccessReviewStatus {
  const { isAllowed, reason } = authorize(roles, user, attributesOf(spec));
  return { allowed: isAllowed, ...(reason === '' ? {} : { reason }) };
}

export const reviewSelfAccess: Review<SelfSubjectAccessReview> = (review, context) => {
  refuse('SelfSubjectAccessReview', checkSpec(review.spec));
  return { ...review, status: answer(context.user, review.spec, context) };
};

function checkSubject({ user = '', groups = [] }: SubjectAccessReview['spec']): readonly FieldError[] {
  return user === '' && groups.length === 0
    ? [invalid('spec.user', user, 'at least one of user or group must be specified')]
    : [];
}

export const reviewAccess: Review<SubjectAccessReview> = (review, context) => {
  const { spec } = review;
  refuse('SubjectAccessReview', [...checkSpec(spec), ...checkSubject(spec)]);
  const { user = '', groups = [], uid, extra } = spec;
  return { ...review, status: answer({ username: user, groups, uid, extra }, spec, context) };
};

export const reviewLocalAccess: Review<LocalSubjectAccessReview> = (review, context) => {
  const { resourceAttributes, nonResourceAttributes } = review.spec;
  if (nonResourceAttributes !== undefined)
    refuse('LocalSubjectAccessReview', [
      invalid('spec.nonResourceAttributes', nonResourceAttributes, 'disallowed on this kind of request'),
    ]);
  if (resourceAttributes?.namespace !== context.namespace) {
    const { namespace = '' } = resourceAttributes ?? {};
    throw badRequest(
      `spec.resourceAttributes.namespace must match namespace: ${JSON.stringify(namespace)} is not ${JSON.stringify(context.namespace)}`,
    );
  }
  return reviewAccess(review, context);
};

export const reviewSelfRules: Review<SelfSubjectRulesReview> = (review, { user, roles }) => {
  const { namespace = '' } = review.spec;
  if (namespace === '') throw badRequest('no namespace on request');
  const { rules, errors } = rulesOfUser(roles, user, namespace);
  const ofPaths = rules.filter(({ nonResourceURLs = [] }) => nonResourceURLs.length > 0);
  const ofResources = rules.filter(({ nonResourceURLs = [] }) => nonResourceURLs.length === 0);
  return {
    ...review,
    status: {
      resourceRules: ofResources.map(({ nonResourceURLs: _, ...rule }) => rule),
      nonResourceRules: ofPaths.map(({ verbs, nonResourceURLs }) => ({ verbs, nonResourceURLs })),
      incomplete: errors.length > 0,
      ...(errors.length > 0 ? { evaluationError: errors.join(', ') } : {}),
    },
  };
};

const userInfo = ({ username, uid, groups, extra }: User) => ({
  username,
  ...(uid === undefined ? {} : { uid }),
  groups,
  ...(extra === undefined || Object.keys(extra).length === 0 ? {} : { extra }),
});

export const reviewSelf: Review<SelfSubjectReview> = (review, { user }) => ({
  ...review,
  status: { userInfo: userInfo(user) },
});

/** Tokens of ServiceAccounts; the administrator's own is nobody else's to ask about. */
export const reviewToken: Review<TokenReview> = async (review, { parts }) => {
  const { token, audiences = [] } = review.spec;
  if (!token)
    throw invalidError({ group: 'authentication.k8s.io', kind: 'TokenReview', name: '' }, [
      required('spec.token'),
    ]);
  const wanted = audiences.length > 0 ? audiences : DEFAULT_AUDIENCES;
  try {
    const holder = await authenticateToken(parts, token, wanted);
    const user = { ...holder.user, groups: [...holder.user.groups, AUTHENTICATED] };
    return { ...review, status: { authenticated: true, user: userInfo(user), audiences: holder.audiences } };
  } catch (error) {
    return { ...review, status: { user: {}, error: errorText(error) } };
  }
};
