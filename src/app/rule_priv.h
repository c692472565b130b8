/* rule_priv.h - the text form of one allowed target. */
#ifndef TWS_SRC_APP_RULE_PRIV_H
#define TWS_SRC_APP_RULE_PRIV_H

#include "tws/tunnel/config.h"

/*
 * "10.0.0.0/8:22", "[fd00::/8]:80-90", "::1", "example.com", "*.example.com:443", "*:22", "*";
 * "tcp/" or "udp/" in front of them: only that; "unix:/path", "unix:/run/app/" and a "*".
 * No ports: all of them. An older name in *out is freed. TWS_ABSENT: not of that form; TWS_NOMEM.
 */
TWS_MUST_USE tws_err tws_rule_parse(const char *text, struct tws_rule *out);

#endif
