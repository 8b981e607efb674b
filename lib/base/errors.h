/* lib/base/errors.h
 *
 * One set of error codes for the whole program. A function that can fail returns 0 (or a count) or
 * one of these; they travel unchanged in RPC responses, so the numbers are part of proto/ and are
 * never reused. The text is for operators; clients get a sentence of their protocol. */
#ifndef LIB_BASE_ERRORS_H
#define LIB_BASE_ERRORS_H

#define ERRORS(X)                                          \
    X(E_NOMEM, -1, "out of memory")                        \
    X(E_SYNTAX, -2, "not well-formed")                     \
    X(E_LIMIT, -3, "over a limit")                         \
    X(E_RANGE, -4, "out of range")                         \
    X(E_IO, -5, "input/output error")                      \
    X(E_BUSY, -6, "busy, try later")                       \
    X(E_BUG, -7, "internal error")                         \
    X(E_DENIED, -8, "not permitted")                       \
    X(E_NOTFOUND, -9, "not found")                         \
    X(E_EXISTS, -10, "exists already")                     \
    X(E_TOO_BIG, -11, "too big")                           \
    X(E_QUOTA, -12, "over quota")                          \
    X(E_AUTH, -13, "wrong password")                       \
    X(E_CORRUPT, -14, "damaged, or not ours")              \
    X(E_UNAVAIL, -15, "not available now, try later")      \
    X(E_TIMEOUT, -16, "deadline passed")                   \
    X(E_CLOSED, -17, "closed by the other side")           \
    X(E_BARE_CR, -18, "carriage return without line feed") \
    X(E_BARE_LF, -19, "line feed without carriage return") \
    X(E_NUL, -20, "NUL byte")                              \
    X(E_LINE_TOO_LONG, -21, "line too long")               \
    X(E_VERSION, -22, "written by a newer version")        \
    X(E_FULL, -23, "disk full")                            \
    X(E_GONE, -24, "was here and is gone")                 \
    X(E_STALE, -25, "older than what was seen before")     \
    X(E_WEAK, -26, "too weak")                             \
    X(E_UNSUPPORTED, -27, "not supported")                 \
    X(E_CANCELED, -28, "cancelled")

enum error {
#define X(name, value, text) name = (value),
    ERRORS(X)
#undef X
};

/* A short English text for an E_* code ("" for 0); static, never NULL. */
const char *error_text(int e);
/* The code's name, "E_IO"; static, "E_?" when unknown. */
const char *error_name(int e);
/* E_NOMEM, E_FULL, E_NOTFOUND, E_EXISTS, E_DENIED, E_BUSY or E_IO for an errno value. */
int error_from_errno(int err);
/* "Try later" rather than "no": the promise of DESIGN 1.10 hangs on this list. */
int error_is_transient(int e);
#endif
