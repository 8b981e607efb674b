/* src/directory/ops.h
 *
 * Requests to rows and back. `run` is called on the worker: it blocks, and touches nothing but the
 * database and the request's arena. */
#ifndef SRC_DIRECTORY_OPS_H
#define SRC_DIRECTORY_OPS_H
#include "proto/directory.pb-c.h"
#include "src/directory/accounts.h"

struct directory_answer {
    const ProtobufCMessage *body; /* in the arena */
    struct str cache_as;          /* RESOLVE: under this key it may be remembered */
};
struct directory_op {
    const char *name;
    const ProtobufCMessageDescriptor *request;
    int (*run)(struct db *db, struct arena *a, const void *request, struct directory_answer *out);
    bool changes;
    bool limits; /* changes what the store was told of limits */
};
/* NULL for a number that is no operation. */
const struct directory_op *directory_op_of(uint32_t op);
/* What a ResolveRequest's answer is remembered under; empty when the address is none. */
struct str resolve_cache_key(struct arena *a, const void *request);

/* ---- for the files of this module ---- */
/* A message of its kind in the arena, initialised; NULL. */
void *directory_message(struct arena *a, const ProtobufCMessageDescriptor *d);
Directory__Quota *directory_quota(struct arena *a, const struct quota *q);
/* quota_ops.c */
#define DIRECTORY_RUN(name) \
    int name(struct db *db, struct arena *a, const void *request, struct directory_answer *out)
DIRECTORY_RUN(directory_run_lease);
DIRECTORY_RUN(directory_run_limit);
DIRECTORY_RUN(directory_run_account_add);
DIRECTORY_RUN(directory_run_account_list);
DIRECTORY_RUN(directory_run_account_remove);
DIRECTORY_RUN(directory_run_account_give);
/* sending_ops.c */
DIRECTORY_RUN(directory_run_sender);
DIRECTORY_RUN(directory_run_sending);
/* recipient_ops.c */
DIRECTORY_RUN(directory_run_deliver); /* RESOLVE of purpose DELIVER */
DIRECTORY_RUN(directory_run_domain_set);
DIRECTORY_RUN(directory_run_alias_set);
DIRECTORY_RUN(directory_run_target_set);
DIRECTORY_RUN(directory_run_pattern_set);
DIRECTORY_RUN(directory_run_pattern_list);
DIRECTORY_RUN(directory_run_access_set);
DIRECTORY_RUN(directory_run_access_list);
DIRECTORY_RUN(directory_run_spam_set);
DIRECTORY_RUN(directory_run_vacation);
/* An alias as a message, with its targets. */
MUST_CHECK int directory_alias(struct db *db, struct arena *a, const struct account *acc,
                               Directory__Alias **out);
MUST_CHECK int directory_targets(struct db *db, struct arena *a, const struct account *acc,
                                 Directory__Alias *m);
MUST_CHECK int directory_states(struct arena *a, const struct account *acc, ProtobufCBinaryData **out);
/* 1 with what that alias answers, 0. */
MUST_CHECK int directory_vacation(struct db *db, struct arena *a, uint64_t alias_id, struct str address,
                                  Directory__Vacation **out);
#endif
