/* log.c - see log.h. */
#include "tws/base/log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

#define LINE_MAX_BYTES 1024
#define BURST_MILLI    10000u

static struct {
    enum tws_log_level level;
    tws_log_sink *sink;
    void *ctx;
} the = {TWS_LOG_INFO, NULL, NULL};

void tws_log_set(enum tws_log_level level, tws_log_sink *sink, void *ctx)
{
    the.level = level;
    the.sink = sink;
    the.ctx = ctx;
}

enum tws_log_level tws_log_level(void)
{
    return the.level;
}

static size_t clamp(int n, size_t cap)
{
    if (n < 0)
        return 0;
    return (size_t)n < cap ? (size_t)n : cap - 1;
}

/* U+0080 to U+009F in UTF-8. */
static bool is_c1(const unsigned char *s, size_t n)
{
    return n > 1 && s[0] == 0xc2 && s[1] >= 0x80 && s[1] < 0xa0;
}

/* A peer's text must not forge a second line or move a terminal. */
static void defuse(char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f)
            s[i] = '?';
        else if (is_c1((unsigned char *)s + i, n - i))
            s[i] = s[i + 1] = '?';
}

void tws_log_word(char *word)
{
    for (; *word != '\0'; word++)
        if ((unsigned char)*word <= 0x20 || *word == '"')
            *word = '?';
}

void tws_log_quoted(char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (text[i] == '"')
            text[i] = '\'';
}

void tws_log_line(enum tws_log_level level, const char *event, const char *fmt, ...)
{
    char line[LINE_MAX_BYTES];
    size_t n = 0;
    va_list ap;

    if (the.sink == NULL)
        return;
    n = clamp(snprintf(line, sizeof line, fmt[0] != '\0' ? "%s " : "%s", event), sizeof line);
    va_start(ap, fmt);
    n += clamp(vsnprintf(line + n, sizeof line - n, fmt, ap), sizeof line - n);
    va_end(ap);
    defuse(line, n);
    the.sink(the.ctx, level, line, n);
}

int tws_log_allow(struct tws_log_limit *l, uint64_t now_us)
{
    uint64_t gained = (now_us - l->last_us) / 1000;

    if (l->last_us == 0 || gained > BURST_MILLI)
        gained = BURST_MILLI;
    l->tokens_milli += (uint32_t)gained;
    if (l->tokens_milli > BURST_MILLI)
        l->tokens_milli = BURST_MILLI;
    if (gained > 0 || l->last_us == 0)
        l->last_us = now_us;
    if (l->tokens_milli < 1000) {
        l->dropped++;
        return 0;
    }
    l->tokens_milli -= 1000;
    return 1;
}

const char *tws_log_unsaid(struct tws_log_limit *l, char out[TWS_LOG_UNSAID])
{
    out[0] = '\0';
    if (l->dropped > 0)
        (void)snprintf(out, TWS_LOG_UNSAID, " unsaid=%u", (unsigned)l->dropped);
    l->dropped = 0;
    return out;
}
