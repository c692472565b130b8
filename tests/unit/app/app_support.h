/* app_support.h - what the tests of `app` share: complaints kept as text, files made for a test. */
#ifndef TWS_TEST_APP_SUPPORT_H
#define TWS_TEST_APP_SUPPORT_H

#include "suite.h"

#include "tws/app/diag.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Complaints, one a line, warnings with "warning: " in front. */
struct said {
    char text[8192];
    size_t n;
};

static inline void keep(void *ctx, enum tws_log_level level, const char *line)
{
    struct said *s = ctx;

    s->n += (size_t)snprintf(s->text + s->n, sizeof s->text - s->n, "%s%s\n",
                             level == TWS_LOG_WARN ? "warning: " : "", line);
    ck_assert_uint_lt(s->n, sizeof s->text);
}

static inline struct tws_diag listen_to(struct said *s)
{
    s->n = 0;
    s->text[0] = '\0';
    return (struct tws_diag){.emit = keep, .ctx = s};
}

/* A directory for one test, removed with its files by drop_directory(). */
struct directory {
    char path[64];
};

static inline struct directory make_directory(void)
{
    struct directory d = {"/tmp/tws-test-XXXXXX"};

    ck_assert_ptr_nonnull(mkdtemp(d.path));
    return d;
}

static inline void path_in(const struct directory *d, const char *name, char out[128])
{
    snprintf(out, 128, "%s/%s", d->path, name);
}

static inline void write_file(const struct directory *d, const char *name, mode_t mode,
                              const char *text, char path[128])
{
    int fd = -1;

    path_in(d, name, path);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    ck_assert_int_eq(fchmod(fd, mode), 0);
    close(fd);
}

static inline void drop_directory(const struct directory *d, const char *const *names)
{
    char path[128];

    for (; *names != NULL; names++) {
        path_in(d, *names, path);
        unlink(path);
    }
    ck_assert_int_eq(rmdir(d->path), 0);
}

/* What stands for a key where that is not the matter: to make one of a passphrase takes its time.
 */
#define KEY       "tws2-key-0011223344556677-AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE"
#define KEY_FILE  "key_file: client.key\n"
#define KEYS_FILE "keys_file: keys.yaml\n"

static struct directory key_directory;
static const char *const key_names[] = {"client.key", "keys.yaml", NULL};

static inline void make_keys(void)
{
    char path[128];

    key_directory = make_directory();
    write_file(&key_directory, key_names[0], 0600, KEY "\n", path);
    write_file(&key_directory, key_names[1], 0600,
               "users:\n  - {name: a, key: " KEY ", allow: []}\n", path);
    ck_assert_int_eq(chdir(key_directory.path), 0);
}

static inline void drop_keys(void)
{
    drop_directory(&key_directory, key_names);
}

/* Its tests are run in a directory that has these two files. */
static inline void add_keys(TCase *tc)
{
    tcase_add_unchecked_fixture(tc, make_keys, drop_keys);
}

#define LOOP(tc, test, table) tcase_add_loop_test(tc, test, 0, COUNT_OF(table))

#endif
