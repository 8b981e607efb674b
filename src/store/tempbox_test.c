#include "lib/base/test.h"
#include "lib/base/hex.h"
#include "lib/base/clock.h"
#include "lib/base/errors.h"
#include "lib/base/file.h"
#include "lib/base/rand.h"
#include "src/store/keys.h"
#include "src/store/notes.h"
#include "src/store/tempbox.h"
#include <fcntl.h>
#include <unistd.h>

static char dir[] = "/tmp/letterlock-test-XXXXXX", prefix[64];
static struct files files = { .dir = -1 };
static struct tempbox_keys keys = { .outer = { 1 }, .chain = { 2 } };
static uint8_t id[MAILBOX_ID_LEN] = { 0xab, 1, 2 }, seed[XWING_SEED_BYTES], pk[XWING_PUBLIC_BYTES];

static int setup(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/letterlock-test-XXXXXX");
    if (!mkdtemp(dir) || (files.dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
        return -1;
    snprintf(prefix, sizeof prefix, "%s/", dir);
    files.prefix = prefix;
    return crypto_init() < 0 || xwing_keypair(seed, pk) < 0 ? -1 : files_folder(&files, id);
}

static int teardown(void **state)
{
    char path[128];

    (void)state;
    CHECK(files_remove(&files, id) == 0);
    snprintf(path, sizeof path, "%s/mailboxes/ab", dir);
    CHECK(rmdir(path) == 0); /* nothing is left: no -wal either */
    snprintf(path, sizeof path, "%s/mailboxes", dir);
    CHECK(rmdir(path) == 0);
    fd_close(&files.dir);
    return rmdir(dir);
}

static int add(struct tempbox *t, uint8_t number, bool has_delivery, struct str text)
{
    struct temp_record rec = { .has_delivery = has_delivery, .received_ms = 1787000000000 + number };
    struct bytes_mem m;
    int r;

    memset(rec.operation, number, sizeof rec.operation);
    memset(rec.delivery, has_delivery ? number : 0, sizeof rec.delivery);
    CHECK(tempbox_begin(t) == 0);
    if ((r = tempbox_add(t, pk, 7, &rec, bytes_mem_init(&m, text))) < 0)
        tempbox_rollback(t);
    else
        CHECK(tempbox_commit(t) == 0);
    return r;
}

/* In two steps, as the drain does. */
static int open_apart(struct tempbox *t, const struct temp_record *rec, struct spool *to)
{
    struct sealed_opened last = { 0 };
    struct temp_sealed s = { 0 };
    struct arrival arrival;
    int r = tempbox_take(t, rec, &s);

    if (r == 0)
        r = temp_sealed_open(&s, seed, &last, &arrival, to);
    temp_sealed_release(&s);
    return r;
}

static void expect_apart(struct tempbox *t, const struct temp_record *rec, struct str text)
{
    CLEANUP(buf_release) struct buf got = { .max = MIB(8) };
    struct spool *s = NULL;
    int r;

    CHECK(spool_new(files.dir, MIB(8), &s) == 0);
    r = open_apart(t, rec, s);
    CHECK(r == (text.n > TEMP_SEALED_MAX ? E_TOO_BIG : 0));
    CHECK(r < 0 || (spool_size(s) == text.n && buf_reserve(&got, text.n + 1) &&
                    spool_read(s, 0, got.p, text.n) == 0 && memcmp(got.p, text.p, text.n) == 0));
    spool_free(&s);
}

static void expect(struct tempbox *t, uint64_t after, uint64_t seq, struct str text)
{
    CLEANUP(buf_release) struct buf got = { .max = MIB(8) };
    struct temp_record rec;
    struct arrival arrival;
    struct spool *s = NULL;
    uint32_t generation = 0;

    CHECK(tempbox_next(t, after, &rec) == 1 && rec.seq == seq && rec.bytes == text.n);
    CHECK(tempbox_verify(t, seq) == 0);
    CHECK(tempbox_key_generation(t, seq, &generation) == 0 && generation == 7);
    CHECK(spool_new(files.dir, MIB(8), &s) == 0);
    CHECK(tempbox_unseal(t, &rec, seed, &arrival, s) == 0 && spool_size(s) == text.n);
    CHECK(buf_reserve(&got, text.n + 1) && spool_read(s, 0, got.p, text.n) == 0);
    CHECK(memcmp(got.p, text.p, text.n) == 0);
    spool_free(&s);
    expect_apart(t, &rec, text);
}

static void test_sizes(void **state)
{
    static const size_t sizes[] = { 0,
                                    1,
                                    SEALED_CHUNK_MAX - 8,
                                    SEALED_CHUNK_MAX - 7,
                                    4 * SEALED_CHUNK_MAX - 8,
                                    4 * SEALED_CHUNK_MAX,
                                    MIB(3) + 5 };
    CLEANUP(buf_release) struct buf body = { .max = MIB(4) };
    struct tempbox *t = NULL;
    uint64_t n = 0;

    (void)state;
    CHECK(tempbox_open(&files, id, &keys, false, &t) == E_NOTFOUND);
    CHECK(tempbox_open(&files, id, &keys, true, &t) == 0);
    CHECK(buf_reserve(&body, MIB(4)));
    rand_bytes(body.p, MIB(4));
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
        CHECK(add(t, (uint8_t)(i + 1), true, str_of(body.p, sizes[i])) == 0);
    CHECK(tempbox_close(&t) == 0 && tempbox_open(&files, id, &keys, false, &t) == 0);
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
        expect(t, i, i + 1, str_of(body.p, sizes[i]));
    CHECK(tempbox_count(t, &n) == 0 && n == ARRAY_LEN(sizes));
    CHECK(tempbox_remove(&t) == E_BUSY && t);
    CHECK(tempbox_begin(t) == 0);
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
        CHECK(tempbox_delete(t, i + 1) == 0);
    CHECK(tempbox_commit(t) == 0 && tempbox_remove(&t) == 0 && !t);
    CHECK(tempbox_open(&files, id, &keys, false, &t) == E_NOTFOUND);
}

static void test_repeats(void **state)
{
    struct tempbox *t = NULL, *next = NULL;
    uint64_t generation;

    (void)state;
    CHECK(tempbox_open(&files, id, &keys, true, &t) == 0);
    CHECK(add(t, 1, true, STR("a")) == 0 && add(t, 1, true, STR("a")) == 1);
    CHECK(add(t, 2, false, STR("b")) == 0 && add(t, 2, false, STR("b")) == 1 &&
          add(t, 3, false, STR("b")) == 0);
    expect(t, 2, 3, STR("b"));
    CHECK(tempbox_begin(t) == 0);
    for (uint64_t seq = 1; seq <= 3; seq++)
        CHECK(tempbox_delete(t, seq) == 0);
    CHECK(tempbox_commit(t) == 0);
    generation = tempbox_generation(t);
    CHECK(add(t, 4, false, STR("c")) == 0);
    expect(t, 0, 4, STR("c")); /* numbers are not used again */
    CHECK(tempbox_begin(t) == 0 && tempbox_delete(t, 4) == 0 && tempbox_commit(t) == 0 &&
          tempbox_remove(&t) == 0);
    CHECK(tempbox_open(&files, id, &keys, true, &next) == 0 && tempbox_generation(next) != generation);
    CHECK(tempbox_remove(&next) == 0);
}

/* What someone with the outer key may do to the rows is seen. */
static void test_tampering(void **state)
{
    struct tempbox *t = NULL;
    struct temp_record rec;
    struct arrival arrival;
    struct spool *s = NULL;

    (void)state;
    CHECK(tempbox_open(&files, id, &keys, true, &t) == 0);
    for (uint8_t i = 1; i <= 4; i++)
        CHECK(add(t, i, true, STR("text of a letter")) == 0);
    CHECK(db_run(tempbox_db(t), "UPDATE record SET chain = zeroblob(32) WHERE seq = 2") == 0);
    CHECK(tempbox_verify(t, 2) == E_CORRUPT && tempbox_verify(t, 3) == E_CORRUPT &&
          tempbox_verify(t, 4) == 0);
    CHECK(db_run(tempbox_db(t), "UPDATE record_data SET data = zeroblob(length(data)) WHERE id >> 16 = 4") ==
          0);
    CHECK(spool_new(files.dir, MIB(1), &s) == 0);
    CHECK(tempbox_next(t, 3, &rec) == 1 && tempbox_unseal(t, &rec, seed, &arrival, s) == E_CORRUPT);
    CHECK(open_apart(t, &rec, s) == E_CORRUPT);
    CHECK(tempbox_next(t, 0, &rec) == 1);
    rec.bytes = 1;
    rec.delivery[0] ^= 1;
    CHECK(open_apart(t, &rec, s) == E_CORRUPT); /* not what it was bound to */
    CHECK(db_run(tempbox_db(t), "DELETE FROM record_data WHERE id >> 16 = 3") == 0);
    CHECK(tempbox_next(t, 2, &rec) == 1 && tempbox_unseal(t, &rec, seed, &arrival, s) == E_CORRUPT);
    CHECK(open_apart(t, &rec, s) == E_CORRUPT);
    spool_free(&s);
    CHECK(tempbox_close(&t) == 0);
}

/* Folder, flags and keywords wait inside of what is sealed. */
static void test_arrival(void **state)
{
    char junk[] = "$Junk", marked[] = "marked", *names[] = { junk, marked };
    Store__Recipient m = STORE__RECIPIENT__INIT;
    struct temp_record rec = { .received_ms = 1787000000000 }, got;
    struct arrival arrival, found;
    struct spool *s = NULL;
    struct tempbox *t = NULL;
    struct bytes_mem text;
    char *keywords[ARRIVAL_KEYWORDS_MAX];
    struct placement at = { .nkeywords = 0 };
    uint8_t head[ARRIVAL_HEAD_MAX];
    size_t n, used;

    (void)state;
    m.special_use = STORE__SPECIAL_USE__USE_JUNK;
    m.flags = STORE__FLAG__SEEN;
    m.keywords = names;
    m.n_keywords = 2;
    CHECK(arrival_of(&m, &arrival) == 0);
    rec.arrival = &arrival;
    CHECK(tempbox_open(&files, id, &keys, true, &t) == 0 && tempbox_begin(t) == 0);
    CHECK(tempbox_add(t, pk, 7, &rec, bytes_mem_init(&text, STR("letter"))) == 0 && tempbox_commit(t) == 0);
    CHECK(tempbox_next(t, 0, &got) == 1 && got.bytes == 6);
    CHECK(spool_new(files.dir, KIB(64), &s) == 0);
    CHECK(tempbox_unseal(t, &got, seed, &found, s) == 0 && spool_size(s) == 6);
    arrival_place(&found, keywords, &at);
    CHECK(at.special_use == STORE__SPECIAL_USE__USE_JUNK && at.flags == STORE__FLAG__SEEN);
    CHECK(at.nkeywords == 2 && strcmp(at.keywords[0], "$Junk") == 0 && strcmp(at.keywords[1], "marked") == 0);
    spool_free(&s);
    CHECK(tempbox_close(&t) == 0);

    n = arrival_head_write(&arrival, 1787000000000, head); /* cut anywhere it is none */
    CHECK(arrival_head_read(str_of(head, n), &found, &used) == 0 && used == n);
    for (size_t i = 0; i < n; i++)
        CHECK(arrival_head_read(str_of(head, i), &found, &used) == E_CORRUPT);
    le64_put(head, 1787000000000); /* one of before: the date alone */
    CHECK(arrival_head_read(str_of(head, n), &found, &used) == 0 && used == 8 && found.special_use == 0);
}

static void test_keys(void **state)
{
    struct keyfile *kf = NULL, *again = NULL, *older = NULL;
    struct keyfile_keys k = { 0 };
    struct keyfile_label label = { .name = "x" };
    struct password p;
    uint8_t mac[KEY_BYTES] = { 3 }, label_key[KEY_BYTES] = { 4 }, state1[KEYSTATE_BYTES],
            state2[KEYSTATE_BYTES];
    ProtobufCBinaryData states[2] = { { KEYSTATE_BYTES, state1 }, { KEYSTATE_BYTES, state2 } };
    struct keys_known known = { states, 1, mac };
    uint16_t slot = 0;

    (void)state;
    CHECK(keys_load(&files, id, &kf) == E_NOTFOUND);
    CHECK(keyfile_new(id, &kf, &k) == 0);
    password_generate(keyfile_next_slot(kf), &p);
    CHECK(keyfile_slot_add(kf, &k, &p, PASSWORD_COST_DEFAULT, label_key, &label, &slot) == 0);
    keys_state(kf, mac, state1);
    CHECK(keys_save(&files, kf) == 0 && keys_load(&files, id, &older) == 0 && keys_check(older, &known) == 0);
    password_generate(keyfile_next_slot(kf), &p);
    CHECK(keyfile_slot_add(kf, &k, &p, PASSWORD_COST_DEFAULT, label_key, &label, &slot) == 0);
    keys_state(kf, mac, state2);
    CHECK(keys_save(&files, kf) == 0 && keys_load(&files, id, &again) == 0);
    CHECK(keys_check(again, &known) == KEYSTATE_NEWER);
    known.n = 2; /* announced: both are right */
    CHECK(keys_check(again, &known) == 0 && keys_check(older, &known) == 0);
    known.states = states + 1;
    known.n = 1;
    CHECK(keys_check(again, &known) == 0 && keys_check(older, &known) == E_STALE);
    known.n = 0;
    CHECK(keys_check(again, &known) == E_STALE);
    keyfile_free(&kf);
    keyfile_free(&again);
    keyfile_free(&older);
    keyfile_keys_release(&k);
    password_release(&p);
}

/* One copy of two is enough; mended once; old keys go, the current one stays. */
static void test_keys_upkeep(void **state)
{
    struct keyfile *kf = NULL;
    struct keyfile_keys k = { 0 };
    struct keyfile_label label = { .name = "x" };
    struct password p;
    uint8_t label_key[KEY_BYTES] = { 4 };
    char path[FILES_PATH_MAX];
    uint16_t slot = 0;
    int fd;

    (void)state;
    CHECK(keyfile_new(id, &kf, &k) == 0);
    password_generate(keyfile_next_slot(kf), &p);
    CHECK(keyfile_slot_add(kf, &k, &p, PASSWORD_COST_DEFAULT, label_key, &label, &slot) == 0);
    for (int i = 0; i < 3; i++)
        CHECK(keyfile_rotate_begin(kf, &k) == 0 && keyfile_rotate_finish(kf, &k) == 0);
    CHECK(keys_forget_before(kf, &k, 0) == 0 && keys_forget_before(kf, &k, 3) == 2);
    CHECK(keyfile_mailbox_key_at(kf, 0) == 3 && keys_forget_before(kf, &k, 1000) == 1);
    CHECK(keyfile_mailbox_key_at(kf, 0) == 4 && keyfile_mailbox_key_at(kf, 1) == 0);
    CHECK(keys_save(&files, kf) == 0 && keys_mend(&files, id) == 0);
    files_path(id, FILES_KEYS, path);
    CHECK((fd = openat(files.dir, path, O_WRONLY)) >= 0 && pwrite(fd, "\xff\0\xff\0", 4, 200) == 4 &&
          close(fd) == 0);
    keyfile_free(&kf);
    CHECK(keys_load(&files, id, &kf) == 0 && keyfile_open(kf, &p, &k) == 0);
    CHECK(keys_mend(&files, id) == 1 && keys_mend(&files, id) == 0);
    keyfile_free(&kf);
    keyfile_keys_release(&k);
    password_release(&p);
}

static void test_notes(void **state)
{
    uint8_t key[KEY_BYTES] = { 5 }, other[MAILBOX_ID_LEN] = { 0xab, 9 };
    struct note at = { .generation = 77, .seq = 5, .link = { 1, 2 } }, box = { .seq = 100 }, got;
    struct notes *n = NULL;
    uint64_t temps[4];

    (void)state;
    CHECK(notes_open(&files, key, &n) == 0);
    CHECK(notes_get(n, id, 77, &got) == 0);
    notes_put(n, id, &at);
    at.seq = 6;
    notes_put(n, id, &at);
    notes_put(n, id, &box);
    notes_put(n, other, &box);
    CHECK(notes_get(n, id, 77, &got) == 1 && got.seq == 6 && got.link[1] == 2);
    CHECK(notes_temps(n, id, temps, 4) == 0); /* not written: after a crash nobody misses it */
    CHECK(notes_flush(n) == 0 && notes_flush(n) == 0 && notes_temps(n, id, temps, 4) == 1 && temps[0] == 77);
    CHECK(notes_close(&n) == 0 && notes_open(&files, key, &n) == 0);
    CHECK(notes_get(n, id, 77, &got) == 1 && got.seq == 6 && notes_get(n, id, 0, &got) == 1 &&
          got.seq == 100);
    at.generation = 78;
    notes_put(n, id, &at);
    CHECK(notes_forget(n, id, 77) == 0 && notes_forget(n, id, 77) == 0 && notes_get(n, id, 77, &got) == 0);
    CHECK(notes_close(&n) == 0 && notes_open(&files, key, &n) == 0); /* closing writes */
    CHECK(notes_temps(n, id, temps, 4) == 1 && temps[0] == 78 && notes_get(n, id, 77, &got) == 0);
    CHECK(notes_forget_mailbox(n, id) == 0 && notes_temps(n, id, temps, 4) == 0 &&
          notes_get(n, id, 0, &got) == 0);
    CHECK(notes_get(n, other, 0, &got) == 1);
    CHECK(notes_close(&n) == 0);
    key[0] = 6;
    CHECK(notes_open(&files, key, &n) == E_CORRUPT && n == NULL);
    CHECK(file_remove(files.dir, "notes.sqlite") == 0);
}

static void test_aside(void **state)
{
    struct tempbox *t = NULL;
    int64_t now = 1787000000000;

    (void)state;
    CHECK(tempbox_open(&files, id, &keys, true, &t) == 0 && add(t, 1, true, STR("a")) == 0 &&
          tempbox_close(&t) == 0);
    CHECK(files_set_aside(&files, id, now) == 0);
    CHECK(tempbox_open(&files, id, &keys, false, &t) == E_NOTFOUND);
    CHECK(files_remove_old(&files, now + (FILES_ASIDE_DAYS - 1) * INT64_C(86400000)) == 0);
    CHECK(files_remove_old(&files, now + FILES_ASIDE_DAYS * INT64_C(86400000)) == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_sizes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_repeats, setup, teardown),
        cmocka_unit_test_setup_teardown(test_tampering, setup, teardown),
        cmocka_unit_test_setup_teardown(test_arrival, setup, teardown),
        cmocka_unit_test_setup_teardown(test_keys, setup, teardown),
        cmocka_unit_test_setup_teardown(test_keys_upkeep, setup, teardown),
        cmocka_unit_test_setup_teardown(test_notes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_aside, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
