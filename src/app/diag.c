/* diag.c - see diag.h. */
#include "tws/app/diag.h"

#include <stdarg.h>
#include <stdio.h>

#define LINE_BYTES 900

__attribute__((format(printf, 3, 0))) static void emit(struct tws_diag *d, enum tws_log_level level,
                                                       const char *fmt, va_list ap)
{
    char line[LINE_BYTES];

    vsnprintf(line, sizeof line, fmt, ap);
    if (d->emit != NULL)
        d->emit(d->ctx, level, line);
}

void tws_diag_error(struct tws_diag *d, const char *fmt, ...)
{
    va_list ap;

    d->errors++;
    va_start(ap, fmt);
    emit(d, TWS_LOG_ERROR, fmt, ap);
    va_end(ap);
}

void tws_diag_warn(struct tws_diag *d, const char *fmt, ...)
{
    va_list ap;

    d->warnings++;
    va_start(ap, fmt);
    emit(d, TWS_LOG_WARN, fmt, ap);
    va_end(ap);
}
