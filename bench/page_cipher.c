/* bench/page_cipher.c: MB/s of our page cipher on 4 KB pages, against bare OpenSSL (the AEAD, and
 * ChaCha20 alone) on the same buffers. bench/page_cipher_db compares whole databases with stock. */
#include "lib/base/clock.h"
#include "lib/base/rand.h"
#include "lib/db/page_cipher.h"
#include <openssl/evp.h>
#include <stdio.h>

#define PAGE  4096u
#define PAGES 4096u /* 16 MB, larger than the caches */

static uint8_t *pages, key[32], salt[16];

static void run_seal(void)
{
    for (uint32_t i = 0; i < PAGES; i++)
        page_seal(key, salt, i + 2, pages + (size_t)i * PAGE, PAGE, NULL);
}

static void run_open(void)
{
    for (uint32_t i = 0; i < PAGES; i++)
        if (page_open(key, i + 2, pages + (size_t)i * PAGE, PAGE) < 0)
            abort();
}

static void run_openssl(const EVP_CIPHER *cipher, bool tag)
{
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    uint8_t iv[16] = { 0 }, out[16];
    int n;

    if (!c || EVP_EncryptInit_ex(c, cipher, NULL, key, iv) != 1)
        abort();
    for (uint32_t i = 0; i < PAGES; i++) {
        uint8_t *p = pages + (size_t)i * PAGE;

        iv[4] = (uint8_t)i;
        if (EVP_EncryptInit_ex(c, NULL, NULL, key, iv) != 1 ||
            EVP_EncryptUpdate(c, p, &n, p, PAGE - 32) != 1 || EVP_EncryptFinal_ex(c, out, &n) != 1 ||
            (tag && EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, 16, p + PAGE - 16) != 1))
            abort();
    }
    EVP_CIPHER_CTX_free(c);
}

static void run_aead(void)
{
    run_openssl(EVP_chacha20_poly1305(), true);
}

static void run_stream(void)
{
    run_openssl(EVP_chacha20(), false);
}

int main(void)
{
    static const struct {
        const char *name;
        void (*run)(void), (*undo)(void);
    } rows[] = {
        { "seal (ours)", run_seal, run_open },
        { "open (ours)", run_open, run_seal },
        { "OpenSSL chacha20-poly1305", run_aead, NULL },
        { "OpenSSL chacha20 alone", run_stream, NULL },
    };

    pages = malloc((size_t)PAGE * PAGES);
    if (!pages || page_cipher_thread_ready() < 0)
        return 1;
    memset(pages, 1, (size_t)PAGE * PAGES);
    rand_bytes(key, sizeof key);
    run_seal();
    run_open(); /* warm, and in the state that the first row wants */
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int64_t best = INT64_MAX;

        if (rows[i].run == run_open)
            run_seal();
        for (int round = 0; round < 12; round++) {
            int64_t began = clock_mono_us(), took;

            rows[i].run();
            took = clock_mono_us() - began;
            best = took < best ? took : best;
            if (rows[i].undo)
                rows[i].undo();
        }
        printf("%-28s %6.0f MB/s\n", rows[i].name, (double)PAGE * PAGES / (double)best);
        if (rows[i].run == run_open)
            run_open();
    }
    free(pages);
    return 0;
}
