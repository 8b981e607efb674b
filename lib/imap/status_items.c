#include "lib/imap/status_items.h"

static const char *const names[STATUS_ITEMS] = {
    [STATUS_MESSAGES] = "MESSAGES",
    [STATUS_RECENT] = "RECENT",
    [STATUS_UIDNEXT] = "UIDNEXT",
    [STATUS_UIDVALIDITY] = "UIDVALIDITY",
    [STATUS_UNSEEN] = "UNSEEN",
    [STATUS_DELETED] = "DELETED",
    [STATUS_SIZE] = "SIZE",
    [STATUS_HIGHESTMODSEQ] = "HIGHESTMODSEQ",
    [STATUS_MAILBOXID] = "MAILBOXID",
    [STATUS_APPENDLIMIT] = "APPENDLIMIT",
    [STATUS_DELETED_STORAGE] = "DELETED-STORAGE",
};

const char *status_item_name(enum status_item item)
{
    return names[item];
}

static int one(struct args *a, uint32_t *bits)
{
    for (size_t i = 0; i < STATUS_ITEMS; i++) {
        if (args_skip_word(a, names[i])) {
            *bits |= BIT(i);
            return 0;
        }
    }
    return args_fail(a, "a STATUS item");
}

int status_items_parse(struct args *a, uint32_t *bits_out)
{
    uint32_t bits = 0;
    int r = args_char(a, '(', "a list of STATUS items");

    if (r < 0)
        return r;
    do {
        if ((r = one(a, &bits)) < 0)
            return r;
    } while (args_skip(a, ' '));
    if ((r = args_char(a, ')', "the end of the STATUS items")) < 0)
        return r;
    *bits_out = bits;
    return 0;
}
