/*
 * notify.h - tells the service manager how we are: sd_notify(3)'s protocol, without libsystemd.
 * Without NOTIFY_SOCKET in the environment all of it does nothing.
 */
#ifndef TWS_APP_NOTIFY_H
#define TWS_APP_NOTIFY_H

#include "tws/base/err.h"

#include <stdbool.h>
#include <stdint.h>

bool tws_notify_wanted(void);
/* One datagram with lines such as "READY=1\nSTATUS=..."; a failure is logged once. */
__attribute__((format(printf, 1, 2))) void tws_notify(const char *fmt, ...);
/* RELOADING=1 with the time systemd wants beside it; READY=1 is to follow. */
void tws_notify_reloading(void);
/* Microseconds between two WATCHDOG=1, half of what is allowed; 0: no watchdog for this process. */
uint64_t tws_notify_watchdog_us(void);

#endif
