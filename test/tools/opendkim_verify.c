/* A message on standard input; the file names keys, "selector._domainkey.domain record" a line. What libopendkim says of each of
 * its signatures, a line each: "selector algorithm pass" or "… fail, why". Where it was not there when this was built: exit 77. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#if defined(HAVE_OPENDKIM)
#include <stdbool.h>
#include <sys/types.h>
#include <opendkim/dkim.h>

static unsigned char message[64 << 20];

int main(int argc, char **argv)
{
    dkim_query_t method = DKIM_QUERY_FILE;
    DKIM_LIB *lib = dkim_init(NULL, NULL);
    DKIM_SIGINFO **sigs = NULL;
    size_t n = fread(message, 1, sizeof message, stdin);
    DKIM_STAT st;
    bool testkey;
    DKIM *d;
    int nsigs = 0;

    if (argc != 2 || !lib ||
        dkim_options(lib, DKIM_OP_SETOPT, DKIM_OPTS_QUERYMETHOD, &method, sizeof method) != DKIM_STAT_OK ||
        dkim_options(lib, DKIM_OP_SETOPT, DKIM_OPTS_QUERYINFO, argv[1], strlen(argv[1])) != DKIM_STAT_OK ||
        !(d = dkim_verify(lib, (const unsigned char *)"id", NULL, &st)))
        return 2;
    if (dkim_chunk(d, message, n) != DKIM_STAT_OK || dkim_chunk(d, NULL, 0) != DKIM_STAT_OK)
        return 3;
    (void)dkim_eom(d, &testkey);
    if (dkim_getsiglist(d, &sigs, &nsigs) != DKIM_STAT_OK)
        return 4;
    for (int i = 0; i < nsigs; i++) {
        dkim_alg_t alg = DKIM_SIGN_UNKNOWN;

        (void)dkim_sig_process(d, sigs[i]);
        (void)dkim_sig_getsignalg(sigs[i], &alg);
        printf("%s %s %s%s\n", (const char *)dkim_sig_getselector(sigs[i]),
               alg == DKIM_SIGN_ED25519SHA256 ? "ed25519-sha256"
               : alg == DKIM_SIGN_RSASHA256   ? "rsa-sha256"
                                              : "other",
               DKIM_SIG_CHECK(sigs[i]) ? "pass" : "fail, ",
               DKIM_SIG_CHECK(sigs[i]) ? "" : dkim_sig_geterrorstr(dkim_sig_geterror(sigs[i])));
    }
    dkim_free(d);
    dkim_close(lib);
    return 0;
}
#else
int main(void)
{
    return 77;
}
#endif
