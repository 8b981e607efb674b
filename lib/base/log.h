/* lib/base/log.h
 *
 * One line an event, to standard error of the role (the supervisor's own, so journald or a file):
 *   2026-08-22T10:11:12.345Z mx[812] info mx.accepted sid=4f2a bytes=48213
 * Ids, sizes, counts and error names; never subjects, bodies, addresses or secrets. Values are
 * quoted when they hold anything but [A-Za-z0-9._:/+-], control bytes are escaped. Thread-safe;
 * a line is one write(2). */
#ifndef LIB_BASE_LOG_H
#define LIB_BASE_LOG_H
#include "lib/base/str.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR, LOG_ALARM };

struct log_field {
    const char *key;
    enum { LOG_F_STR, LOG_F_U64, LOG_F_I64 } type;
    struct str s;
    uint64_t u;
};
#define F_STR(k, v) ((struct log_field){ .key = (k), .type = LOG_F_STR, .s = (v) })
#define F_Z(k, v)   ((struct log_field){ .key = (k), .type = LOG_F_STR, .s = str_from(v) })
#define F_U64(k, v) ((struct log_field){ .key = (k), .type = LOG_F_U64, .u = (uint64_t)(v) })
#define F_I64(k, v) ((struct log_field){ .key = (k), .type = LOG_F_I64, .u = (uint64_t)(int64_t)(v) })
#define F_ERR(r)    F_Z("error", error_name(r))
#define F_ERRNO()   F_Z("errno", strerrorname_np(errno))

/* Call once per process, before threads: the role's name, the lowest level written. */
void log_init(const char *role, enum log_level lowest);
/* Where lines go; standard error unless told. The descriptor stays the caller's. */
void log_to(int fd);
void log_event_fields(enum log_level level, const char *event, const struct log_field *f, size_t n);
#define log_event(level, event, ...)                                                        \
    log_event_fields(                                                                       \
        (level), (event), (const struct log_field[]){ { .key = NULL }, ##__VA_ARGS__ } + 1, \
        sizeof((const struct log_field[]){ { .key = NULL }, ##__VA_ARGS__ }) / sizeof(struct log_field) - 1)
#endif
