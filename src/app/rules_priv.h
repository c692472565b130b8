/* rules_priv.h - rules from a list that was read to a user. */
#ifndef TWS_SRC_APP_RULES_PRIV_H
#define TWS_SRC_APP_RULES_PRIV_H

#include "tws/app/option.h"
#include "tws/tunnel/config.h"

/* Copies the list of struct tws_rule. TWS_NOMEM: what was copied so far is to be freed too. */
TWS_MUST_USE tws_err tws_rules_copy(const struct tws_items *from, struct tws_rule **to, size_t *n);
void tws_rules_free(struct tws_rule *rules, size_t n);
/* What one cannot listen on among rules for listening (a name but localhost), or NULL. */
const char *tws_rules_not_to_listen(const struct tws_rule *rules, size_t n);

#endif
