/* config.c - what the client's and the server's configuration share; see config.h. */
#include "config_priv.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

tws_err tws_config_copy(const char *text, char **out)
{
    *out = text != NULL ? strdup(text) : NULL;
    return text == NULL || *out != NULL ? TWS_OK : TWS_NOMEM;
}

void tws_config_fill_limits(const struct tws_settings *s, struct tws_link_limits *out)
{
    *out = (struct tws_link_limits){
        .grace_ms = s->grace_ms,
        .heartbeat_ms = s->timeout_ms,
        .give_up_ms = s->give_up_ms,
        .suspect_ms = s->suspect_ms,
        .memory = s->memory,
        .max_message = s->max_message,
        .max_channels = s->max_channels,
        .encrypt = s->encrypt != 0 ? (enum tws_encrypt)s->encrypt : TWS_ENCRYPT_ALLOW,
        .idle_timeout_ms = s->idle_timeout_ms,
        .half_close_timeout_ms = s->half_close_timeout_ms,
        .drain_ms = s->drain_ms,
        .padding = s->padding,
        .no_udp = s->no_udp,
        .udp_timeout_ms = s->udp_timeout_ms,
    };
}

tws_err tws_config_verdict(tws_err err, const struct tws_diag *diag, unsigned errors_before)
{
    return err == TWS_OK && diag->errors != errors_before ? TWS_CONFIG : err;
}

static const struct tws_given *given(const struct tws_settings *s, const char *name)
{
    const struct tws_table *t = tws_table_settings();

    return &s->given[tws_option_find(t, s->who, name) - t->rows];
}

bool tws_config_given(const struct tws_settings *s, const char *name)
{
    return given(s, name)->argv || given(s, name)->line != 0;
}

void tws_config_judge_passwd(const struct tws_settings *s, struct tws_diag *diag)
{
    const struct tws_given *g = given(s, "passwd");

    if (g->argv)
        tws_diag_warn(diag, "-p: every user of this machine can see the passphrase in the process "
                            "list; put it in TWS_PASSWD or a file (passwd:), or use a key");
    if (g->line != 0 && s->file_is_exposed)
        tws_diag_warn(diag, "%s: others can read this file with a passphrase; do: chmod 600 %s",
                      s->config, s->config);
}

void tws_config_error(const struct tws_settings *s, struct tws_diag *diag, const char *name,
                      const char *fmt, ...)
{
    char place[TWS_PLACE], text[512];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    tws_settings_place(s, name, place, sizeof place);
    tws_diag_error(diag, "%s%s", place, text);
}
