/* src/store/noting.c: files compared with what was noted of them, and noted anew. In the mailbox's lane.
 * What is older than its note is an alarm for the operator; mail goes on: the owner of a restored backup
 * wants his mail as well. */
#include "src/store/findings.h"
#include "src/store/store.h"

#define TEMPS_MAX 64u

static void alarm_of(const char *event, const struct actor *a, const struct note *known, uint64_t found)
{
    char id[2 * MAILBOX_ID_LEN + 1];

    hex_encode(a->id, MAILBOX_ID_LEN, id);
    store.alarms++;
    finding_add(FINDING_CHECK, a->id, "%s: commit %llu was noted, %llu is there", event,
                (unsigned long long)known->seq, (unsigned long long)found);
    log_event(LOG_ALARM, event, F_Z("mailbox", id), F_U64("generation", known->generation),
              F_U64("noted", known->seq), F_U64("found", found));
}

void noting_temp(struct actor *a)
{
    struct note now = { 0 };

    if (!a->temp || !store.notes)
        return;
    now.generation = tempbox_generation(a->temp);
    if (tempbox_head(a->temp, &now.seq, now.link) == 0 && now.seq)
        notes_put(store.notes, a->id, &now);
}

/* Is what was noted still on the way to what is there? The noted record may be gone: it was drained. */
static bool chain_holds(struct tempbox *t, const struct note *known, const struct note *now)
{
    uint8_t link[SEALED_LINK_BYTES];

    if (now->seq < known->seq)
        return false;
    if (now->seq == known->seq)
        return bytes_same(now->link, known->link, sizeof known->link);
    return tempbox_link(t, known->seq, link) != 0 || bytes_same(link, known->link, sizeof link);
}

void noting_temp_check(struct actor *a)
{
    struct note known, now = { 0 };

    if (!store.notes || notes_get(store.notes, a->id, tempbox_generation(a->temp), &known) <= 0 ||
        tempbox_head(a->temp, &now.seq, now.link) < 0 || chain_holds(a->temp, &known, &now))
        return;
    alarm_of("store.temporary_older_than_noted", a, &known, now.seq);
    noting_temp(a);
}

void noting_temps_missing(struct actor *a, const uint64_t *there, size_t n)
{
    uint64_t noted[TEMPS_MAX];
    int count = store.notes ? notes_temps(store.notes, a->id, noted, TEMPS_MAX) : 0;

    for (int i = 0; i < count; i++) {
        struct note known = { .generation = noted[i] };
        size_t k = 0;

        while (k < n && there[k] != noted[i])
            k++;
        if (k < n || notes_get(store.notes, a->id, noted[i], &known) <= 0)
            continue;
        alarm_of("store.temporary_missing", a, &known, 0);
        if (notes_forget(store.notes, a->id, noted[i]) < 0)
            log_event(LOG_WARN, "store.note_stays");
    }
}

/* When the note stays, a false alarm comes later: better than mail that waits for it. */
void noting_temp_done(struct actor *a)
{
    if (store.notes && notes_forget(store.notes, a->id, tempbox_generation(a->temp)) < 0)
        log_event(LOG_WARN, "store.note_stays");
}

void noting_box_of(const struct actor *a, struct mailbox *box)
{
    struct note now = { 0 };

    if (box && store.notes && mailbox_commits(box, &now.seq) == 0)
        notes_put(store.notes, a->id, &now);
}

void noting_box(struct actor *a)
{
    noting_box_of(a, a->box);
}

void noting_box_check(struct actor *a)
{
    struct note known;
    uint64_t now = 0;

    if (!store.notes || notes_get(store.notes, a->id, 0, &known) <= 0 || mailbox_commits(a->box, &now) < 0)
        return;
    if (now < known.seq) {
        alarm_of("store.mailbox_older_than_noted", a, &known, now);
        noting_box(a);
    }
}

void noting_forget(struct actor *a)
{
    if (store.notes && notes_forget_mailbox(store.notes, a->id) < 0)
        log_event(LOG_WARN, "store.note_stays");
}
