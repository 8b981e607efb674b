/* A role of which nothing is written yet: it starts, waits, and ends when told to. */
#include "src/common/role.h"

const struct role_def STUB_ROLE = { .id = STUB_ID };
