/* lib/base/work.h
 *
 * What blocks (SQLite, sync, Argon2id, signing, compression) runs here, never on an event loop.
 *
 * A pool has worker threads. A lane is a serial queue on a pool: its jobs run one after another, in
 * order, on any worker, so the data a lane owns needs no lock. Lanes do not wait for each other.
 * When a job has run, its `done` is called on the loop thread by work_reap(), which the loop calls
 * when the pool's descriptor is readable. Jobs are embedded in the caller's structs and belong to
 * the pool from submit until `done` returns. */
#ifndef LIB_BASE_WORK_H
#define LIB_BASE_WORK_H
#include "lib/base/base.h"

struct work_pool; /* opaque */
struct work_lane;

struct work_job {
    void (*run)(struct work_job *job);  /* on a worker; may block */
    void (*done)(struct work_job *job); /* on the loop thread; may free the job */
    struct work_job *next;              /* the pool's */
    struct work_lane *lane;             /* the pool's */
};

/* `threads` at least 1; `queue_max` jobs waiting in all (0: unbounded); nice_level 0-19 for low
 * priority pools. NULL on failure. Signals are blocked in the workers. */
struct work_pool *work_pool_new(const char *name, unsigned threads, size_t queue_max, int nice_level);
/* Waits for what runs and for what is queued, calls `done` of all, frees. A `done` that submits again
 * is told E_BUSY. NULL is accepted. */
void work_pool_free(struct work_pool **p);
/* Readable when work_reap has something to do. */
int work_pool_fd(const struct work_pool *p);
/* Calls `done` of finished jobs. Loop thread only. */
void work_reap(struct work_pool *p);
/* Jobs waiting or running. */
size_t work_pool_load(struct work_pool *p);

/* Run `job` on any free worker. E_BUSY when the queue is full (nothing happens then). */
MUST_CHECK int work_submit(struct work_pool *p, struct work_job *job);

struct work_lane *work_lane_new(struct work_pool *p);
/* Only when idle (asserted). */
void work_lane_free(struct work_lane **l);
bool work_lane_idle(struct work_lane *l);
MUST_CHECK int work_lane_submit(struct work_lane *l, struct work_job *job);
/* From inside a running job of this lane: take the next queued job, when `want` accepts it, to be
 * run by the caller within the same transaction (group commit). The caller runs it and then calls
 * work_lane_finish() on it. NULL when there is none, or the next is not wanted. */
struct work_job *work_lane_take(struct work_lane *l, bool (*want)(const struct work_job *job));
void work_lane_finish(struct work_job *job);
#endif
