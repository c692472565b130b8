/*
 * kernel_tables_priv.h - nft and ip at work: a footprint's texts go in, and what they complain of
 * comes out as one line with its remedy.
 */
#ifndef TWS_TUNNEL_KERNEL_TABLES_PRIV_H
#define TWS_TUNNEL_KERNEL_TABLES_PRIV_H

#include "tws/tunnel/ruleset.h"

#define TWS_COMPLAINT 256

/* All of them: TWS_OK; TWS_SYS, with a line in `why`; TWS_NOMEM. */

TWS_MUST_USE tws_err tws_tables_install(const struct tws_ruleset *r, char why[TWS_COMPLAINT]);
TWS_MUST_USE tws_err tws_tables_remove(const struct tws_footprint *f, char why[TWS_COMPLAINT]);

/* The rule and the route of caught packets; `family` 4 or 6. Removing what is not there is TWS_OK.
 */
TWS_MUST_USE tws_err tws_routes_install(const struct tws_footprint *f, uint8_t family,
                                        char why[TWS_COMPLAINT]);
TWS_MUST_USE tws_err tws_routes_remove(const struct tws_footprint *f, uint8_t family,
                                       char why[TWS_COMPLAINT]);

/* What `nft list tables` and `ip -4|-6 rule show` write; owned by the caller. */
TWS_MUST_USE tws_err tws_tables_list(char **out, char why[TWS_COMPLAINT]);
TWS_MUST_USE tws_err tws_rules_list(uint8_t family, char **out, char why[TWS_COMPLAINT]);

#endif
