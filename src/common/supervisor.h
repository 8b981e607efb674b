/* src/common/supervisor.h
 *
 * `letterlock serve`: opens what needs privilege, starts the roles, restarts what dies, hands out the
 * pairs between them, stops them in order. It parses no network byte, and from roles it reads reports of
 * a fixed size only. One thread, one poll loop, no library that could surprise a fork. */
#ifndef SRC_COMMON_SUPERVISOR_H
#define SRC_COMMON_SUPERVISOR_H
#include "src/common/rotation.h"
#include "src/common/server_conf.h"

enum supervisor_mode {
    SUPERVISE_SERVICE, /* all roles, listeners, until told to stop */
    SUPERVISE_COMMAND, /* store, directory and content for one command; ends with its parent */
};

/* Runs until stopped. ready_fd (-1: none) gets one byte when every role is ready. Returns a sysexits
 * code; what went wrong is on standard error. Takes over nothing of `c`. */
int supervisor_run(const struct config *c, enum supervisor_mode mode, int ready_fd);

/* `letterlock server-key rotate`: a new server key for the folder of a stopped service, under the same
 * lock. A sysexits code; what went wrong is on standard error. Blocks as long as it takes to write all of
 * the server's own files anew. */
int supervisor_rotate(const struct config *c, struct rotation_count *count_out);
#endif
