/* process.c - see process.h. */
#include "tws/app/process.h"

#include "harden_priv.h"
#include "load_priv.h"
#include "signals_priv.h"

#include "tws/app/log_stderr.h"
#include "tws/app/notify.h"
#include "tws/app/reference.h"
#include "tws/net/activation.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STATUS_BYTES 200
#define STATUS_EVERY UINT64_C(1000000) /* µs */

struct process {
    const struct tws_role *role;
    int argc;
    char **argv;
    unsigned verbose;

    struct tws_settings settings;
    void *config, *tunnel;
    struct tws_loop *loop;
    struct tws_ws *ws;
    struct tws_signals signals;
    struct tws_activation *activation;
    bool draining;
    bool serving; /* stdin and stdout: the process ends with them */
    bool served;  /* they came to their end */
    int exit_code;
    struct tws_timer status_timer, watchdog_timer;
    char status[STATUS_BYTES];
};

static tws_err configure(struct process *p, struct tws_diag *diag, struct tws_settings *s,
                         void **config)
{
    tws_err err = tws_load_settings(s, p->role->who, p->argc, p->argv, diag);

    s->verbose += p->verbose;
    s->activation = p->activation;
    if (err == TWS_OK)
        err = p->role->configure(s, diag, config);
    tws_settings_forget(s);
    return err;
}

/* Whoever failed with TWS_SYS left errno as it was. */
static const char *why(tws_err err)
{
    return err == TWS_SYS ? strerror(errno) : tws_err_text(err);
}

/* ---- the service manager ---- */

static void tell_status(struct process *p)
{
    char now[STATUS_BYTES] = "";

    p->role->status(p->tunnel, now, sizeof now);
    if (strcmp(now, p->status) == 0)
        return;
    memcpy(p->status, now, sizeof now);
    tws_notify("STATUS=%s", now);
}

static void on_status_timer(struct tws_timer *t)
{
    struct process *p = TWS_CONTAINER(t, struct process, status_timer);

    tell_status(p);
    tws_timer_start(t, STATUS_EVERY);
}

static void on_watchdog_timer(struct tws_timer *t)
{
    tws_notify("WATCHDOG=1");
    tws_timer_start(t, tws_notify_watchdog_us());
}

static void start_notifying(struct process *p)
{
    tws_timer_init(&p->status_timer, p->loop, on_status_timer);
    tws_timer_init(&p->watchdog_timer, p->loop, on_watchdog_timer);
    if (!tws_notify_wanted())
        return;
    tws_notify("READY=1");
    on_status_timer(&p->status_timer);
    if (tws_notify_watchdog_us() > 0)
        on_watchdog_timer(&p->watchdog_timer);
}

static void stop_notifying(struct process *p)
{
    tws_timer_stop(&p->status_timer);
    tws_timer_stop(&p->watchdog_timer);
}

/* ---- signals ---- */

static void log_complaint(void *ctx, enum tws_log_level level, const char *line)
{
    (void)ctx;
    tws_log(level, "configuration", "text=\"%s\"", line);
}

static tws_err take_new_config(struct process *p, struct tws_settings *s)
{
    struct tws_diag diag = {.emit = log_complaint};
    void *config = NULL;
    tws_err err = configure(p, &diag, s, &config);

    if (err == TWS_OK)
        err = p->role->reload(p->tunnel, config);
    if (err != TWS_OK) {
        p->role->discard(config);
        return err;
    }
    tws_settings_compare(&p->settings, s, &diag);
    p->role->discard(p->config);
    p->config = config;
    return TWS_OK;
}

static void reload(struct process *p)
{
    struct tws_settings s;
    tws_err err = TWS_OK;

    tws_notify_reloading();
    err = take_new_config(p, &s);
    if (err == TWS_OK) {
        tws_settings_fini(&p->settings);
        p->settings = s;
        tws_log_stderr(&p->settings);
        tws_log(TWS_LOG_INFO, "reloaded", "");
    } else {
        tws_settings_fini(&s);
        tws_log(TWS_LOG_ERROR, "reload failed, nothing changed", "why=\"%s\"", why(err));
    }
    tws_notify("READY=1");
}

static void on_drained(void *arg, bool settled)
{
    struct process *p = arg;

    tws_log(TWS_LOG_INFO, "drained", "");
    if (p->served)
        p->exit_code = settled ? EXIT_SUCCESS : EXIT_FAILURE;
    tws_loop_stop(p->loop);
}

static void drain(struct process *p)
{
    p->draining = true;
    tws_log(TWS_LOG_INFO, "draining", "at_most_ms=%u", p->settings.drain_ms);
    tws_notify("STOPPING=1");
    p->role->drain(p->tunnel, on_drained, p);
}

/* Stdin and stdout are over. What was read last may still be on its way. */
static void on_served(void *arg, bool clean)
{
    struct process *p = arg;

    p->served = clean;
    if (!clean)
        tws_loop_stop(p->loop);
    else if (!p->draining)
        drain(p);
}

static void end(struct process *p, bool at_once)
{
    if (p->draining || at_once) {
        tws_log(TWS_LOG_INFO, "ending at once", "");
        tws_loop_stop(p->loop);
        return;
    }
    drain(p);
}

static void on_signal(void *arg, enum tws_signal_kind kind)
{
    struct process *p = arg;

    if (kind == TWS_SIGNAL_END)
        end(p, p->serving);
    else if (kind == TWS_SIGNAL_RELOAD && p->serving)
        end(p, false);
    else if (kind == TWS_SIGNAL_RELOAD && !p->draining)
        reload(p);
    else if (kind == TWS_SIGNAL_REDIAL && p->role->redial != NULL)
        p->role->redial(p->tunnel);
}

/* ---- a life ---- */

static tws_err start(struct process *p)
{
    tws_err err = tws_loop_new(&p->loop);

    if (err == TWS_OK)
        err = tws_ws_new(p->loop, &p->ws);
    if (err == TWS_OK)
        err = p->role->start(p->loop, p->ws, p->config, &p->tunnel);
    if (err == TWS_OK && p->role->serve != NULL)
        err = p->role->serve(p->tunnel, p->config, on_served, p, &p->serving);
    p->exit_code = p->serving ? EXIT_FAILURE : EXIT_SUCCESS;
    if (err == TWS_OK)
        err = tws_signals_start(&p->signals, tws_loop_uv(p->loop), on_signal, p);
    return err;
}

static int live(struct process *p)
{
    tws_err err = start(p);

    if (err == TWS_OK) {
        start_notifying(p);
        tws_loop_run(p->loop);
        stop_notifying(p);
    } else {
        tws_log(TWS_LOG_ERROR, "cannot start", "why=\"%s\"", why(err));
    }
    tws_signals_stop(&p->signals);
    p->role->stop(p->tunnel);
    if (p->ws != NULL)
        tws_ws_free(p->ws);
    if (p->loop != NULL)
        tws_loop_free(p->loop);
    return err == TWS_OK ? p->exit_code : EXIT_FAILURE;
}

static int rehearse(const struct process *p)
{
    tws_err err = p->role->dry_run(p->config);

    if (err != TWS_OK)
        tws_log(TWS_LOG_ERROR, "cannot tell", "why=\"%s\"", why(err));
    return err == TWS_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}

int tws_process_run(const struct tws_role *role, int argc, char **argv, unsigned verbose)
{
    const char *name = role->name;
    struct process p = {.role = role, .argc = argc, .argv = argv, .verbose = verbose};
    struct tws_diag diag = {.emit = tws_log_complaint, .ctx = &name};
    tws_err err = TWS_OK;
    int code = EXIT_SUCCESS;

    tws_harden();
    err = tws_activation_new(&p.activation);
    if (err == TWS_OK)
        err = configure(&p, &diag, &p.settings, &p.config);
    if (err == TWS_ABSENT) {
        tws_reference_help(stdout, role->who);
    } else if (err != TWS_OK) {
        if (err == TWS_USAGE)
            fprintf(stderr, "%s: see %s --help\n", role->name, role->name);
        code = tws_load_exit_code(err);
    } else {
        tws_log_stderr(&p.settings);
        code = p.settings.dry_run ? rehearse(&p) : live(&p);
    }
    role->discard(p.config);
    tws_settings_fini(&p.settings);
    tws_activation_free(p.activation);
    return code;
}
