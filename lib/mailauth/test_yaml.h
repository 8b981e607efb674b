/* lib/mailauth/test_yaml.h
 *
 * For tests only: as much YAML as the public test vectors for SPF and ARC use. Block mappings and sequences,
 * flow sequences, plain and quoted scalars over several lines, literal and folded blocks. Trusts its
 * input's layout; what it cannot read makes the test fail, not pass. */
#ifndef LIB_MAILAUTH_TEST_YAML_H
#define LIB_MAILAUTH_TEST_YAML_H
#include "lib/base/arena.h"

enum yaml_kind { YAML_SCALAR, YAML_MAP, YAML_SEQ };
struct yaml {
    enum yaml_kind kind;
    struct str text; /* of a scalar */
    struct str key;  /* when it is in a mapping */
    struct yaml *first, *next;
};

/* All documents of a file as one sequence; NULL when it is not there or cannot be read. */
struct yaml *yaml_load(struct arena *a, const char *path);
/* The value of a key, or NULL. */
const struct yaml *yaml_get(const struct yaml *map, const char *key);
/* Its text, or "". */
struct str yaml_text(const struct yaml *map, const char *key);
/* The folder of public vectors, with `file`; false, and says so loudly, when it is not there. */
bool vectors_path(char *out, size_t size, const char *file);
#endif
