/*
 * log_stderr.h - log lines on stderr, each with one write(2):
 *
 *      <6>link up link=2                                  stderr is the journal's socket
 *      2026-11-20T19:43:05.123Z info link up link=2       otherwise
 *
 * A line waits a moment for whoever reads the log. If nobody does, lines are lost, and told so
 * later; what can be written is never waited for again until then.
 */
#ifndef TWS_APP_LOG_STDERR_H
#define TWS_APP_LOG_STDERR_H

#include "tws/app/settings.h"
#include "tws/base/log.h"

/* Sets the sink and the level that `log` and `verbose` ask for; can be called again. */
void tws_log_stderr(const struct tws_settings *s);

/* As a struct tws_diag's emit: complaints of a command at the terminal; ctx points
 * at its name (const char **). */
void tws_log_complaint(void *ctx, enum tws_log_level level, const char *line);

#endif
