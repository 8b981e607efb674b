/* test/fuzz/replay.c
 *
 * A main for fuzz targets without libFuzzer: runs the empty input, then every file named on the
 * command line, folders one level deep. A name that does not exist is skipped: a target need not
 * have a corpus. Inputs are copied to blocks of their exact size, so that ASan sees every overrun. */
#include "lib/base/base.h"
#include "test/fuzz/fuzz.h"
#include <dirent.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#define INPUT_BYTES_MAX MIB(16)

static unsigned inputs;

static void run_file(const char *path, size_t size)
{
    FILE *f = fopen(path, "rb");
    uint8_t *data = malloc(size ? size : 1);

    if (!f || !data || size > INPUT_BYTES_MAX || fread(data, 1, size, f) != size) {
        fprintf(stderr, "cannot read %s\n", path);
        exit(2);
    }
    fclose(f);
    printf("# %s\n", path);
    fflush(stdout);
    LLVMFuzzerTestOneInput(data, size);
    free(data);
    inputs++;
}

static void run_path(const char *path, bool descend)
{
    struct stat st;
    struct dirent *e;
    DIR *dir;

    if (stat(path, &st) < 0)
        return;
    if (S_ISREG(st.st_mode))
        run_file(path, (size_t)st.st_size);
    if (!S_ISDIR(st.st_mode) || !descend || !(dir = opendir(path)))
        return;
    while ((e = readdir(dir))) {
        char inner[PATH_MAX];
        int n = snprintf(inner, sizeof(inner), "%s/%s", path, e->d_name);

        if (e->d_name[0] != '.' && n > 0 && (size_t)n < sizeof(inner))
            run_path(inner, false);
    }
    closedir(dir);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) { /* a target may work in a folder of its own */
        char *path = realpath(argv[i], NULL);

        argv[i] = path ? path : argv[i];
    }
    LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
    for (int i = 1; i < argc; i++)
        run_path(argv[i], true);
    printf("# %u inputs and the empty one\n", inputs);
    return 0;
}
