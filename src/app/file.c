/* file.c - see file_priv.h. */
#include "file_priv.h"

#include "tws/base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STEP 4096

/* Grows by copying, so that no unwiped copy is left behind as realloc(3) would. */
static tws_err grow(struct tws_file *f, size_t *cap)
{
    size_t bigger = *cap == 0 ? STEP : *cap * 2;
    char *p = malloc(bigger + 1);

    if (p == NULL)
        return TWS_NOMEM;
    if (f->n > 0)
        memcpy(p, f->bytes, f->n);
    if (f->bytes != NULL)
        tws_wipe(f->bytes, f->n);
    free(f->bytes);
    f->bytes = p;
    *cap = bigger;
    return TWS_OK;
}

static tws_err read_all(int fd, size_t max, struct tws_file *f)
{
    size_t cap = 0;

    for (;;) {
        ssize_t got = 0;

        if (f->n == cap && grow(f, &cap) != TWS_OK)
            return TWS_NOMEM;
        got = read(fd, f->bytes + f->n, cap - f->n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return TWS_SYS;
        f->n += (size_t)got;
        f->bytes[f->n] = '\0';
        if (f->n > max)
            return TWS_FULL;
        if (got == 0)
            return TWS_OK;
    }
}

tws_err tws_file_read(const char *path, size_t max, struct tws_file *f)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    tws_err err = TWS_SYS;
    int why = 0;

    memset(f, 0, sizeof *f);
    if (fd < 0)
        return TWS_SYS;
    if (fstat(fd, &st) != 0)
        goto out;
    f->exposed = S_ISREG(st.st_mode) && (st.st_mode & 077) != 0;
    err = S_ISREG(st.st_mode) ? read_all(fd, max, f) : TWS_ABSENT;
out:
    why = errno;
    close(fd);
    errno = why;
    return err;
}

void tws_file_free(struct tws_file *f)
{
    if (f->bytes != NULL)
        tws_wipe(f->bytes, f->n);
    free(f->bytes);
    memset(f, 0, sizeof *f);
}

const char *tws_file_why(tws_err err)
{
    if (err == TWS_SYS)
        return strerror(errno);
    return err == TWS_FULL ? "the file is too large" : "this is not a regular file";
}
