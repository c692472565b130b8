/* plan.h - what a client would change of this machine, as the commands that do the same. */
#ifndef TWS_TUNNEL_PLAN_H
#define TWS_TUNNEL_PLAN_H

#include "tws/base/err.h"
#include "tws/tunnel/config.h"

#include <stdio.h>

/* Changes nothing. TWS_NOMEM. */
TWS_MUST_USE tws_err tws_plan_write(const struct tws_client_config *cfg, FILE *out);

#endif
