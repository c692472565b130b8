/* rules_priv.h - rules from a list that was read to a user. */
#ifndef TWS_SRC_APP_RULES_PRIV_H
#define TWS_SRC_APP_RULES_PRIV_H

#include "tws/app/option.h"
#include "tws/tunnel/config.h"

/* Copies the list of struct tws_rule into the user's `allow`. TWS_NOMEM: free the user. */
TWS_MUST_USE tws_err tws_rules_copy(const struct tws_items *from, struct tws_user *to);

#endif
