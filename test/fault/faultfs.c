#include "test/fault/faultfs_private.h"
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECTOR 512u

struct journal journal;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

void journal_lock(void)
{
    pthread_mutex_lock(&lock);
}

void journal_unlock(void)
{
    pthread_mutex_unlock(&lock);
}

void *must_alloc(void *old, size_t n)
{
    void *p = realloc(old, n ? n : 1);

    if (!p)
        abort();
    return p;
}

char *must_dup(const char *z)
{
    size_t n = strlen(z) + 1;

    return memcpy(must_alloc(NULL, n), z, n);
}

/* Room for one more of a list that doubles at powers of two. */
static void *grow(void *list, size_t n, size_t size)
{
    return (n & (n - 1)) == 0 ? must_alloc(list, (n ? n * 2 : 1) * size) : list;
}

uint32_t node_new(dev_t dev, ino_t ino, bool folder)
{
    journal.nodes = grow(journal.nodes, journal.n_nodes, sizeof *journal.nodes);
    journal.nodes[journal.n_nodes] = (struct node){ .dev = dev, .ino = ino, .folder = folder };
    return (uint32_t)journal.n_nodes++;
}

uint32_t node_find(dev_t dev, ino_t ino)
{
    for (size_t i = journal.n_nodes; i-- > 0;)
        if (journal.nodes[i].ino == ino && journal.nodes[i].dev == dev && !journal.nodes[i].gone)
            return (uint32_t)i;
    return NO_NODE;
}

struct op *op_add(enum op_kind kind)
{
    journal.ops = grow(journal.ops, journal.n_ops, sizeof *journal.ops);
    journal.ops[journal.n_ops] =
        (struct op){ .kind = kind, .node = NO_NODE, .folder = NO_NODE, .folder2 = NO_NODE };
    return &journal.ops[journal.n_ops++];
}

uint32_t names_find(const struct names *ns, uint32_t folder, const char *name)
{
    for (size_t i = 0; i < ns->n; i++)
        if (ns->list[i].folder == folder && strcmp(ns->list[i].name, name) == 0)
            return ns->list[i].node;
    return NO_NODE;
}

void names_set(struct names *ns, uint32_t folder, const char *name, uint32_t node)
{
    for (size_t i = 0; i < ns->n; i++) {
        if (ns->list[i].folder != folder || strcmp(ns->list[i].name, name) != 0)
            continue;
        ns->list[i].node = node;
        return;
    }
    ns->list = grow(ns->list, ns->n, sizeof *ns->list);
    ns->list[ns->n++] = (struct entry){ folder, node, must_dup(name) };
}

static void names_release(struct names *ns)
{
    for (size_t i = 0; i < ns->n; i++)
        free(ns->list[i].name);
    free(ns->list);
    *ns = (struct names){ 0 };
}

/* ---- beginning ---- */

static void journal_release(void)
{
    for (size_t i = 0; i < journal.n_ops; i++) {
        free(journal.ops[i].name);
        free(journal.ops[i].name2);
        free(journal.ops[i].data);
    }
    for (size_t i = 0; i < journal.n_nodes; i++)
        free(journal.nodes[i].base);
    free(journal.ops);
    free(journal.nodes);
    names_release(&journal.base);
    names_release(&journal.live);
    journal = (struct journal){ 0 };
}

static void read_base(struct node *node, int fd, size_t n)
{
    node->base = must_alloc(NULL, n);
    node->base_n = n;
    for (size_t got = 0; got < n;) {
        ssize_t r = pread(fd, node->base + got, n - got, (off_t)got);

        if (r <= 0)
            abort();
        got += (size_t)r;
    }
}

static void scan(int dir, uint32_t folder)
{
    DIR *d = fdopendir(dup(dir));

    if (!d)
        abort();
    for (struct dirent *e; (e = readdir(d));) {
        int fd = strcmp(e->d_name, ".") && strcmp(e->d_name, "..")
                     ? openat(dir, e->d_name, O_RDONLY | O_CLOEXEC)
                     : -1;
        struct stat st;
        uint32_t node;

        if (fd < 0)
            continue;
        if (fstat(fd, &st) < 0)
            abort();
        node = node_new(st.st_dev, st.st_ino, S_ISDIR(st.st_mode));
        names_set(&journal.base, folder, e->d_name, node);
        names_set(&journal.live, folder, e->d_name, node);
        if (S_ISDIR(st.st_mode))
            scan(fd, node);
        else
            read_base(&journal.nodes[node], fd, (size_t)st.st_size);
        close(fd);
    }
    closedir(d);
}

void faultfs_start(const char *root)
{
    int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct stat st;

    journal_release();
    if (fd < 0 || fstat(fd, &st) < 0)
        abort();
    scan(fd, node_new(st.st_dev, st.st_ino, true));
    close(fd);
    journal.on = true;
}

void faultfs_stop(void)
{
    journal_lock();
    journal.on = false;
    journal_unlock();
}

void faultfs_ack(uint64_t value)
{
    journal_lock();
    if (journal.on)
        op_add(OP_ACK)->at = value;
    journal_unlock();
}

void faultfs_fail(unsigned calls, size_t nth, int err, bool for_good)
{
    journal_lock();
    journal.fail_calls = calls;
    journal.fail_nth = nth;
    journal.fail_errno = err;
    journal.fail_for_good = for_good;
    journal.calls = journal.failures = 0;
    journal_unlock();
}

size_t faultfs_calls(void)
{
    return journal.calls;
}

size_t faultfs_failures(void)
{
    return journal.failures;
}

/* ---- points ---- */

/* Is the moment before op i (n_ops: the end) one at which to pull the plug? */
static bool is_point(size_t i)
{
    const struct op *op = &journal.ops[i], *before = i ? op - 1 : NULL;

    if (i == journal.n_ops)
        return true;
    return op->kind == OP_SYNC || op->kind == OP_SYNC_FOLDER ||
           (before && (before->kind == OP_SYNC || before->kind == OP_SYNC_FOLDER || before->kind == OP_ACK));
}

size_t faultfs_points(void)
{
    size_t n = 0;

    for (size_t i = 0; i <= journal.n_ops; i++)
        n += is_point(i);
    return n;
}

static size_t point_op(size_t point)
{
    for (size_t i = 0; i <= journal.n_ops; i++)
        if (is_point(i) && point-- == 0)
            return i;
    return journal.n_ops;
}

size_t faultfs_acked(size_t point, uint64_t *value_out)
{
    size_t end = point_op(point), n = 0;

    for (size_t i = 0; i < end; i++) {
        if (journal.ops[i].kind != OP_ACK)
            continue;
        n++;
        if (value_out)
            *value_out = journal.ops[i].at;
    }
    return n;
}

/* ---- what the disk may hold ---- */

struct chance {
    uint64_t state;
    unsigned keep; /* of 256 */
};

static bool keeps(struct chance *c) /* splitmix64 */
{
    uint64_t z = c->state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return ((z ^ (z >> 31)) & 255) < c->keep;
}

static struct chance chance_of(uint64_t seed, size_t point)
{
    static const unsigned keep[] = { 0, 256, 128, 230, 0, 256, 26, 192 };

    return (struct chance){ seed * UINT64_C(1000003) + point, keep[seed % ARRAY_LEN(keep)] };
}

struct image {
    uint8_t *p;
    size_t n, cap; /* beyond n and below cap: zeros */
    bool *stopped; /* per sector: a later write must not be there when an earlier one is not */
};

static void image_room(struct image *im, size_t n)
{
    size_t cap = im->cap ? im->cap : SECTOR;

    if (n <= im->cap)
        return;
    while (cap < n)
        cap *= 2;
    im->p = must_alloc(im->p, cap);
    memset(im->p + im->cap, 0, cap - im->cap);
    im->stopped = must_alloc(im->stopped, cap / SECTOR);
    memset(im->stopped + im->cap / SECTOR, 0, cap / SECTOR - im->cap / SECTOR);
    im->cap = cap;
}

static void image_cut(struct image *im, size_t n)
{
    image_room(im, n);
    if (im->cap > n)
        memset(im->p + n, 0, im->cap - n);
    for (size_t s = (n + SECTOR - 1) / SECTOR; s < im->cap / SECTOR; s++)
        im->stopped[s] = false;
    im->n = n;
}

static void image_write(struct image *im, const struct op *op, struct chance *c)
{
    image_room(im, op->at + op->n);
    for (size_t done = 0, n; done < op->n; done += n) {
        size_t at = op->at + done;

        n = size_min(SECTOR - at % SECTOR, op->n - done);
        if (im->stopped[at / SECTOR] || (c && !keeps(c)))
            im->stopped[at / SECTOR] = c != NULL;
        else
            memcpy(im->p + at, op->data + done, n);
    }
}

static bool touches(const struct op *op, uint32_t node)
{
    return op->node == node && (op->kind == OP_WRITE || op->kind == OP_TRUNCATE);
}

/* Everything up to the last sync is there; from then on it is left to chance. */
static void image_make(struct image *im, uint32_t node, size_t end, struct chance *c)
{
    size_t synced = 0, i;
    bool size_stopped = false;

    for (i = 0; i < end; i++)
        if (journal.ops[i].node == node && journal.ops[i].kind == OP_SYNC)
            synced = i;
    image_room(im, journal.nodes[node].base_n);
    if (journal.nodes[node].base_n)
        memcpy(im->p, journal.nodes[node].base, journal.nodes[node].base_n);
    im->n = journal.nodes[node].base_n;
    for (i = 0; i < end; i++) {
        const struct op *op = &journal.ops[i];
        bool sure = i < synced;

        if (!touches(op, node))
            continue;
        if (op->kind == OP_TRUNCATE) {
            if (!sure && !keeps(c))
                break; /* and nothing written after it can be seen */
            image_cut(im, op->at);
            size_stopped = false;
            continue;
        }
        image_write(im, op, sure ? NULL : c);
        size_stopped = size_stopped || (!sure && op->at + op->n > im->n && !keeps(c));
        if (!size_stopped)
            im->n = size_max(im->n, op->at + op->n);
    }
}

static bool is_name_op(const struct op *op)
{
    return op->kind == OP_LINK || op->kind == OP_UNLINK || op->kind == OP_RENAME;
}

static bool folder_synced(uint32_t folder, size_t from, size_t end)
{
    for (size_t i = from; i < end; i++)
        if (journal.ops[i].kind == OP_SYNC_FOLDER && journal.ops[i].folder == folder)
            return true;
    return false;
}

/* Names as they may be found. `lost` holds the names that an op which did not survive touched: later
 * ops on them cannot have survived either. */
static void names_make(struct names *ns, size_t end, struct chance *c)
{
    struct names lost = { 0 };

    for (size_t i = 0; i < journal.base.n; i++)
        names_set(ns, journal.base.list[i].folder, journal.base.list[i].name, journal.base.list[i].node);
    for (size_t i = 0; i < end; i++) {
        const struct op *op = &journal.ops[i];
        const char *name2 = op->name2 ? op->name2 : op->name;

        if (!is_name_op(op))
            continue;
        if (!(folder_synced(op->folder, i, end) && folder_synced(op->folder2, i, end)) &&
            (names_find(&lost, op->folder, op->name) != NO_NODE ||
             names_find(&lost, op->folder2, name2) != NO_NODE || !keeps(c))) {
            names_set(&lost, op->folder, op->name, 0);
            names_set(&lost, op->folder2, name2, 0);
            continue;
        }
        names_set(ns, op->folder, op->name, op->kind == OP_LINK ? op->node : NO_NODE);
        if (op->kind == OP_RENAME)
            names_set(ns, op->folder2, op->name2, op->node);
    }
    names_release(&lost);
}

static void write_file(const char *path, const struct image *im)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd < 0)
        abort();
    for (size_t done = 0; done < im->n;) {
        ssize_t w = write(fd, im->p + done, im->n - done);

        if (w <= 0)
            abort();
        done += (size_t)w;
    }
    close(fd);
}

static void write_folder(const struct names *ns, uint32_t folder, const char *path, size_t end,
                         struct chance *c)
{
    char child[4096];

    if (mkdir(path, 0700) < 0)
        abort();
    for (size_t i = 0; i < ns->n; i++) {
        const struct entry *e = &ns->list[i];

        if (e->folder != folder || e->node == NO_NODE || journal.nodes[e->node].shm)
            continue;
        if (snprintf(child, sizeof child, "%s/%s", path, e->name) >= (int)sizeof child)
            abort();
        if (journal.nodes[e->node].folder) {
            write_folder(ns, e->node, child, end, c);
        } else {
            struct image im = { 0 };

            image_make(&im, e->node, end, c);
            write_file(child, &im);
            free(im.p);
            free(im.stopped);
        }
    }
}

void faultfs_materialize(size_t point, uint64_t seed, const char *out)
{
    struct chance c = chance_of(seed, point);
    struct names ns = { 0 };
    size_t end = point_op(point);

    names_make(&ns, end, &c);
    write_folder(&ns, 0, out, end, &c);
    names_release(&ns);
}

/* ---- replays ---- */

void faultfs_remove_tree(const char *path)
{
    DIR *d = opendir(path);
    char child[4096];

    for (struct dirent *e; d && (e = readdir(d));) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        snprintf(child, sizeof child, "%s/%s", path, e->d_name);
        if (unlink(child) < 0)
            faultfs_remove_tree(child);
    }
    if (d)
        closedir(d);
    rmdir(path);
}

static char at_text[64];

static void say_where(void) /* a failed CHECK leaves by longjmp or exit, so it is said beforehand */
{
    if (at_text[0])
        fprintf(stderr, "power loss replay in progress: %s\n", at_text);
}

size_t faultfs_replay(const char *scratch, size_t replays,
                      void (*check)(const char *folder, size_t point, void *ctx), void *ctx)
{
    static bool registered;
    char folder[4096];
    size_t points = faultfs_points(), done = 0;

    if (!registered)
        atexit(say_where);
    registered = journal.replaying = true;
    snprintf(folder, sizeof folder, "%s/replay", scratch);
    for (size_t point = 0; point < points; point++) {
        for (size_t i = 0; i < replays; i++, done++) {
            size_t seed =
                replays < 4 ? point * replays + i : i; /* few: the points share the kinds of seeds */

            snprintf(at_text, sizeof at_text, "point %zu of %zu, seed %zu", point, points, seed);
            faultfs_remove_tree(folder);
            faultfs_materialize(point, seed, folder);
            check(folder, point, ctx);
        }
    }
    at_text[0] = '\0';
    journal.replaying = false;
    faultfs_remove_tree(folder);
    return done;
}
