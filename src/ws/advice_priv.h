/*
 * advice_priv.h - what a user can do about a link that does not come up: the words behind the bare
 * reason in the log. Constant texts, never NULL; "" where there is nothing to add.
 */
#ifndef TWS_WS_ADVICE_PRIV_H
#define TWS_WS_ADVICE_PRIV_H

#include "tws/net/connector.h"

/* Why no TCP connection came about. */
const char *tws_advice_connect(enum tws_connect_failure failure);

/* A connection that ended where an HTTP answer was due: the whole reason. */
const char *tws_advice_no_answer(void);

/* The status with which a server answers our upgrade request. */
const char *tws_advice_http(unsigned status);

/* The status with which a proxy answers CONNECT. */
const char *tws_advice_proxy(unsigned status);

/* OpenSSL's reason code for the end of a TLS handshake. */
const char *tws_advice_tls(int reason);

/* A TLS alert of the server's, TLS1_AD_...: its name where OpenSSL has none, and what to do. */
const char *tws_advice_alert_name(int alert);
const char *tws_advice_alert(int alert);

/* OpenSSL's verdict on a certificate, X509_V_ERR_... */
const char *tws_advice_certificate(int verdict);

#endif
