/*
 * log.h - one event a line, key=value, on a sink the process chooses.
 *
 * Levels: error, someone must act; warn, something was lost; info, lives of links, sessions and
 * listeners; debug, state changes; trace, frames, never payload. The event comes first, then
 * key=value pairs: tws_log(TWS_LOG_INFO, "link up", "link=%u peer=%s", id, peer). Arguments are
 * not evaluated when the level is off. Values with spaces are the caller's to quote.
 *
 * The level and the sink are the only process-wide state below `app`: a log line must be possible
 * anywhere, and a test sets its own sink.
 */
#ifndef TWS_BASE_LOG_H
#define TWS_BASE_LOG_H

#include <stddef.h>
#include <stdint.h>

enum tws_log_level { TWS_LOG_ERROR, TWS_LOG_WARN, TWS_LOG_INFO, TWS_LOG_DEBUG, TWS_LOG_TRACE };

typedef void tws_log_sink(void *ctx, enum tws_log_level level, const char *line, size_t len);

/* Lines above `level` are dropped. The default is info, to nowhere: the process sets a sink. */
void tws_log_set(enum tws_log_level level, tws_log_sink *sink, void *ctx);
enum tws_log_level tws_log_level(void);

/* Use the macro. `fmt` may be "" for an event without values. Lines end at 1 KiB. */
__attribute__((format(printf, 3, 4))) void tws_log_line(enum tws_log_level level, const char *event,
                                                        const char *fmt, ...);

#define tws_log(level, ...)                                                                        \
    do {                                                                                           \
        if ((level) <= tws_log_level())                                                            \
            tws_log_line(level, __VA_ARGS__);                                                      \
    } while (0)

/* A stranger's word as a value: what would end it and begin another, blanks and quotes, becomes
 * '?'. */
void tws_log_word(char *word);
/* A stranger's text as a value in quotes: quotes in its `n` bytes become apostrophes. */
void tws_log_quoted(char *text, size_t n);

/* Of lines that a stranger can cause: one a second, ten at once. Zeroed: none came yet. */
struct tws_log_limit {
    uint64_t last_us;
    uint32_t tokens_milli;
    uint32_t dropped; /* since tws_log_unsaid() */
};

/* Whether the line may go out at `now_us`. */
int tws_log_allow(struct tws_log_limit *l, uint64_t now_us);
/* What a line that may go out says of those that did not: " unsaid=3", or nothing. They are said
 * then. */
#define TWS_LOG_UNSAID 24
const char *tws_log_unsaid(struct tws_log_limit *l, char out[TWS_LOG_UNSAID]);

#endif
