/* src/store/dictionary.h: the bytes of data/dictionary/mail-1, which the build makes (embed.py). They are
 * part of the format of every mailbox: they never change; a better dictionary is mail-2, beside it. */
#ifndef SRC_STORE_DICTIONARY_H
#define SRC_STORE_DICTIONARY_H
#include "lib/base/base.h"

extern const unsigned char dictionary_mail_1[];
extern const size_t dictionary_mail_1_bytes;
#endif
