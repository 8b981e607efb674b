/* lib/base/hex.h
 *
 * Bytes as hexadecimal, and integers as little-endian bytes for file formats. */
#ifndef LIB_BASE_HEX_H
#define LIB_BASE_HEX_H
#include "lib/base/str.h"

/* Lower case, 2n characters and a NUL. */
void hex_encode(const void *p, size_t n, char *out);
/* Exactly n bytes from exactly 2n digits of either case; false otherwise. Not constant-time. */
bool hex_decode(struct str text, void *out, size_t n);

void le16_put(uint8_t *p, uint16_t v);
void le32_put(uint8_t *p, uint32_t v);
void le64_put(uint8_t *p, uint64_t v);
uint16_t le16_get(const uint8_t *p);
uint32_t le32_get(const uint8_t *p);
uint64_t le64_get(const uint8_t *p);
#endif
