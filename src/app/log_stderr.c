/* log_stderr.c - see log_stderr.h. */
#include "tws/app/log_stderr.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PREFIX_BYTES 64
#define LINE_BYTES   1024 /* the most a line has, base/log.h */
#define PATIENCE_MS  200  /* for whoever reads the log */

/* syslog(3)'s priorities of our levels; the journal drops debug lines unless asked. */
static const int priorities[] = {3, 4, 6, 7, 7};
static const char *const names[] = {"error", "warn", "info", "debug", "trace"};

static struct {
    bool journal, stamped;
    unsigned lost; /* lines, since nobody reads them */
} how;

/* Whether `fd` is what JOURNAL_STREAM names, "device:inode" (systemd.exec(5)). */
static bool is_journal(int fd)
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

static size_t put_prefix(char *out, size_t cap, enum tws_log_level level)
{
    size_t n = how.stamped ? put_stamp(out, cap) : 0;

    if (how.journal)
        return (size_t)snprintf(out, cap, "<%d>", priorities[level]);
    return n + (size_t)snprintf(out + n, cap - n, "%s ", names[level]);
}

/* A reader that is slow is waited for; one that has stopped costs lines, and not the tunnel. */
static bool is_read(void)
{
    struct pollfd p = {.fd = STDERR_FILENO, .events = POLLOUT};

    return poll(&p, 1, how.lost > 0 ? 0 : PATIENCE_MS) != 0;
}

static void put_line(enum tws_log_level level, const char *line, size_t len)
{
    char text[PREFIX_BYTES + LINE_BYTES];
    size_t n = put_prefix(text, PREFIX_BYTES, level);

    if (len > LINE_BYTES - 1)
        len = LINE_BYTES - 1;
    memcpy(text + n, line, len);
    n += len;
    text[n++] = '\n';
    /* A log that cannot be written is no reason to stop. */
    if (write(STDERR_FILENO, text, n) < 0)
        return;
}

static void tell_lost(void)
{
    char line[64];
    int n = snprintf(line, sizeof line, "log lines lost count=%u reason=\"nobody read\"", how.lost);

    how.lost = 0;
    put_line(TWS_LOG_WARN, line, (size_t)n);
}

static void write_line(void *ctx, enum tws_log_level level, const char *line, size_t len)
{
    (void)ctx;
    if (how.lost > 0 && is_read())
        tell_lost();
    if (how.lost == 0 && is_read())
        put_line(level, line, len);
    else
        how.lost++;
}

void tws_log_stderr(const struct tws_settings *s)
{
    uint32_t level = s->log - 1 + s->verbose;

    how.journal = is_journal(STDERR_FILENO);
    how.stamped =
        s->log_time == TWS_LOG_TIME_ON || (s->log_time == TWS_LOG_TIME_AUTO && !how.journal);
    tws_log_set(level < TWS_LOG_TRACE ? (enum tws_log_level)level : TWS_LOG_TRACE, write_line,
                NULL);
}

void tws_log_complaint(void *ctx, enum tws_log_level level, const char *line)
{
    const char *const *name = ctx;

    if (is_journal(STDERR_FILENO))
        fprintf(stderr, "<%d>", priorities[level]);
    fprintf(stderr, "%s: %s%s\n", *name, level == TWS_LOG_WARN ? "warning: " : "", line);
}
