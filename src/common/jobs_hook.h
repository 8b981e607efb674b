/* src/common/jobs_hook.h: in whose name the jobs role calls a webhook. Nobody can have this domain (RFC 2606 2), so its key
 * (the courier's WEBHOOK_KEY) signs nothing else. */
#ifndef SRC_COMMON_JOBS_HOOK_H
#define SRC_COMMON_JOBS_HOOK_H

#define JOBS_HOOK_DOMAIN "jobs.invalid"
#define JOBS_HOOK_ALIAS  "jobs@" JOBS_HOOK_DOMAIN

#endif
