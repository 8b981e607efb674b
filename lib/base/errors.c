#include "lib/base/errors.h"
#include "lib/base/base.h"
#include <errno.h>

static const struct {
    int code;
    const char *name, *text;
} rows[] = {
#define X(name, value, text) { value, #name, text },
    ERRORS(X)
#undef X
};

const char *error_text(int e)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (rows[i].code == e)
            return rows[i].text;
    return e == 0 ? "" : "unknown error";
}

const char *error_name(int e)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (rows[i].code == e)
            return rows[i].name;
    return e == 0 ? "OK" : "E_?";
}

int error_from_errno(int err)
{
    switch (err) {
    case 0: return 0;
    case ENOMEM: return E_NOMEM;
    case ENOSPC:
    case EDQUOT: return E_FULL;
    case ENOENT: return E_NOTFOUND;
    case EEXIST: return E_EXISTS;
    case EACCES:
    case EPERM: return E_DENIED;
    case EAGAIN:
    case EBUSY:
    case EMFILE:
    case ENFILE: return E_BUSY;
    default: return E_IO;
    }
}

int error_is_transient(int e)
{
    switch (e) {
    case E_NOMEM:
    case E_IO:
    case E_BUSY:
    case E_BUG:
    case E_CORRUPT: /* an operator can mend it; the sender should keep the message */
    case E_UNAVAIL:
    case E_TIMEOUT:
    case E_CLOSED:
    case E_VERSION:
    case E_FULL:
    case E_STALE:
    case E_GONE:
    case E_CANCELED: return 1;
    default: return 0;
    }
}
