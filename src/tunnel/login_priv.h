/* login_priv.h - whether someone knows the user and the password of a forward. */
#ifndef TWS_TUNNEL_LOGIN_PRIV_H
#define TWS_TUNNEL_LOGIN_PRIV_H

#include "tws/base/bytes.h"
#include "tws/tunnel/config.h"

/* In time that depends on lengths only. True if the forward asks for none. */
bool tws_login_fits(const struct tws_forward *f, struct tws_span user, struct tws_span password);

#endif
