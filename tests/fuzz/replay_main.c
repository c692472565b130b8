/*
 * replay_main.c - runs a fuzz target over files, so that what fuzzing once found stays found in
 * every build, without libFuzzer. Arguments are files or folders of files; no input at all is a
 * failure, for then nothing was tested. The empty input always is the first.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned replayed;

static int fail(const char *path)
{
    perror(path);
    return 1;
}

/* An exact allocation for each input, so that a sanitizer sees one byte too far. */
static int replay_file(const char *path, size_t size)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data = malloc(size == 0 ? 1 : size);
    int failed = file == NULL || data == NULL || fread(data, 1, size, file) != size;

    if (failed) {
        fail(path);
    } else {
        LLVMFuzzerTestOneInput(data, size);
        replayed++;
    }
    free(data);
    if (file != NULL)
        fclose(file);
    return failed;
}

static int replay(const char *path);

static int replay_folder(const char *path)
{
    struct dirent **entries;
    int n = scandir(path, &entries, NULL, alphasort), failed = 0;

    if (n < 0)
        return fail(path);
    for (int i = 0; i < n; i++) {
        char inside[4096];
        int len = snprintf(inside, sizeof inside, "%s/%s", path, entries[i]->d_name);

        if (entries[i]->d_name[0] != '.')
            failed |= len < 0 || (size_t)len >= sizeof inside || replay(inside);
        free(entries[i]);
    }
    free(entries);
    return failed;
}

static int replay(const char *path)
{
    struct stat st;

    if (stat(path, &st) != 0)
        return fail(path);
    return S_ISDIR(st.st_mode) ? replay_folder(path) : replay_file(path, (size_t)st.st_size);
}

int main(int argc, char **argv)
{
    static const uint8_t nothing[1];
    int failed = 0;

    LLVMFuzzerTestOneInput(nothing, 0);
    for (int i = 1; i < argc; i++)
        failed |= replay(argv[i]);
    printf("%u inputs replayed\n", replayed);
    return failed || replayed == 0;
}
