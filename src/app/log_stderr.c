/* log_stderr.c - see log_stderr.h. */
#include "tws/app/log_stderr.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define PREFIX_BYTES 64

/* syslog(3)'s priorities of our levels; the journal drops debug lines unless asked. */
static const int priorities[] = {3, 4, 6, 7, 7};
static const char *const names[] = {"error", "warn", "info", "debug", "trace"};

static struct {
    bool journal, stamped;
} how;

bool tws_log_is_journal(int fd)
{
    const char *stream = getenv("JOURNAL_STREAM");
    char here[64];
    struct stat st;

    if (stream == NULL || fstat(fd, &st) != 0)
        return false;
    snprintf(here, sizeof here, "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
    return strcmp(stream, here) == 0;
}

static size_t put_stamp(char *out, size_t cap)
{
    struct timespec now;
    struct tm tm;
    size_t n = 0;

    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &tm);
    n = strftime(out, cap, "%Y-%m-%dT%H:%M:%S", &tm);
    return n + (size_t)snprintf(out + n, cap - n, ".%03ldZ ", now.tv_nsec / 1000000);
}

static void write_line(void *ctx, enum tws_log_level level, const char *line, size_t len)
{
    char prefix[PREFIX_BYTES], end = '\n';
    size_t n = how.stamped ? put_stamp(prefix, sizeof prefix) : 0;
    struct iovec parts[3];

    (void)ctx;
    if (how.journal)
        n = (size_t)snprintf(prefix, sizeof prefix, "<%d>", priorities[level]);
    else
        n += (size_t)snprintf(prefix + n, sizeof prefix - n, "%s ", names[level]);
    parts[0] = (struct iovec){prefix, n};
    parts[1] = (struct iovec){(void *)(uintptr_t)line, len};
    parts[2] = (struct iovec){&end, 1};
    /* A log that cannot be written is no reason to stop. */
    if (writev(STDERR_FILENO, parts, 3) < 0)
        return;
}

void tws_log_stderr(const struct tws_settings *s)
{
    uint32_t level = s->log - 1 + s->verbose;

    how.journal = tws_log_is_journal(STDERR_FILENO);
    how.stamped =
        s->log_time == TWS_LOG_TIME_ON || (s->log_time == TWS_LOG_TIME_AUTO && !how.journal);
    tws_log_set(level < TWS_LOG_TRACE ? (enum tws_log_level)level : TWS_LOG_TRACE, write_line,
                NULL);
}

void tws_log_complaint(void *ctx, enum tws_log_level level, const char *line)
{
    const char *name = ctx;

    if (tws_log_is_journal(STDERR_FILENO))
        fprintf(stderr, "<%d>", priorities[level]);
    fprintf(stderr, "%s: %s%s\n", name, level == TWS_LOG_WARN ? "warning: " : "", line);
}
