#include "src/monitor/metrics.h"
#include "lib/base/errors.h"

static const struct {
    const char *name, *type, *labels, *help;
} count_rows[COUNTS_ALL] = {
#define X(id, name, type, labels, help) { name, type, labels, help },
    COUNTS(X)
#undef X
};
static const struct {
    const char *name, *help;
} time_rows[TIMES_ALL] = {
#define X(id, name, help) { name, help },
    TIMES(X)
#undef X
};

static struct metrics_of *row_of(struct metrics *m, enum role_id role, uint32_t instance)
{
    struct metrics_of *none = NULL;

    for (size_t i = 0; i < METRICS_ROLES_MAX; i++) {
        struct metrics_of *o = &m->rows[i];

        if (o->role == role && o->instance == instance)
            return o;
        if (o->role == ROLE_NONE && !none)
            none = o;
    }
    return none;
}

int metrics_take(struct metrics *m, enum role_id role, uint32_t instance, const Monitor__ReportRequest *q)
{
    struct metrics_of *o = row_of(m, role, instance);

    if (q->n_counts != COUNTS_ALL || q->n_times != TIMES_ALL * TIME_ROW)
        return E_SYNTAX;
    if (!o)
        return E_LIMIT;
    o->role = role;
    o->instance = instance;
    memcpy(o->counts, q->counts, sizeof o->counts);
    memcpy(o->times, q->times, sizeof o->times);
    return 0;
}

static int head(struct buf *out, const char *name, const char *type, const char *help)
{
    return buf_printf(out, "# HELP letterlock_%s %s.\n# TYPE letterlock_%s %s\n", name, help, name, type);
}

static int print_count(const struct metrics *m, size_t c, struct buf *out)
{
    const char *labels = count_rows[c].labels;
    int r = 0;

    if (c == 0 || strcmp(count_rows[c].name, count_rows[c - 1].name) != 0)
        r = head(out, count_rows[c].name, count_rows[c].type, count_rows[c].help);
    for (size_t i = 0; i < METRICS_ROLES_MAX && r == 0; i++) {
        const struct metrics_of *o = &m->rows[i];

        if (o->role != ROLE_NONE)
            r = buf_printf(out, "letterlock_%s{role=\"%s\",instance=\"%u\"%s%s} %llu\n", count_rows[c].name,
                           role_name(o->role), o->instance, labels[0] ? "," : "", labels,
                           (unsigned long long)o->counts[c]);
    }
    return r;
}

static int print_time(const struct metrics_of *o, const char *name, const uint64_t *row, struct buf *out)
{
    int r = 0;

    for (size_t i = 0; i < TIME_BUCKETS && r == 0; i++)
        r = buf_printf(out, "letterlock_%s_bucket{role=\"%s\",instance=\"%u\",le=\"%g\"} %llu\n", name,
                       role_name(o->role), o->instance, (double)time_bucket_ms[i] / 1000.0,
                       (unsigned long long)row[i]);
    if (r < 0)
        return r;
    return buf_printf(out,
                      "letterlock_%s_bucket{role=\"%s\",instance=\"%u\",le=\"+Inf\"} %llu\n"
                      "letterlock_%s_sum{role=\"%s\",instance=\"%u\"} %.6f\n"
                      "letterlock_%s_count{role=\"%s\",instance=\"%u\"} %llu\n",
                      name, role_name(o->role), o->instance, (unsigned long long)row[TIME_BUCKETS], name,
                      role_name(o->role), o->instance, (double)row[TIME_BUCKETS + 1] / 1e6, name,
                      role_name(o->role), o->instance, (unsigned long long)row[TIME_BUCKETS]);
}

int metrics_print(const struct metrics *m, struct buf *out)
{
    int r = 0;

    for (size_t c = 0; c < COUNTS_ALL && r == 0; c++)
        r = print_count(m, c, out);
    for (size_t t = 0; t < TIMES_ALL && r == 0; t++) {
        r = head(out, time_rows[t].name, "histogram", time_rows[t].help);
        for (size_t i = 0; i < METRICS_ROLES_MAX && r == 0; i++)
            if (m->rows[i].role != ROLE_NONE)
                r = print_time(&m->rows[i], time_rows[t].name, m->rows[i].times + t * TIME_ROW, out);
    }
    return r;
}

int metrics_print_status(const char *role, const ProtobufCMessage *status, struct buf *out)
{
    const ProtobufCMessageDescriptor *d = status->descriptor;
    int r = 0;

    for (unsigned i = 0; i < d->n_fields && r == 0; i++) {
        const ProtobufCFieldDescriptor *f = &d->fields[i];
        const void *at = (const char *)status + f->offset;
        uint64_t v = 0;

        if (f->label == PROTOBUF_C_LABEL_REPEATED ||
            (f->type != PROTOBUF_C_TYPE_UINT64 && f->type != PROTOBUF_C_TYPE_UINT32))
            continue;
        if (f->type == PROTOBUF_C_TYPE_UINT64)
            memcpy(&v, at, sizeof(uint64_t));
        else {
            uint32_t v32;
            memcpy(&v32, at, sizeof v32);
            v = v32;
        }
        r = buf_printf(out, "# TYPE letterlock_%s_%s untyped\nletterlock_%s_%s %llu\n", role, f->name, role,
                       f->name, (unsigned long long)v);
    }
    return r;
}
