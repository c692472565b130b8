/* advice.c - see advice_priv.h. Each table ends with the row for everything else. */
#include "advice_priv.h"

#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

struct advice {
    int about; /* 0: everything else */
    const char *text;
};

static const struct advice connecting[] = {
    {TWS_CONNECT_RESOLVE, "; is the host in server right, and DNS up?"},
    {TWS_CONNECT_REFUSED, "; nothing listens there, or a firewall says no"},
    {TWS_CONNECT_TIMEOUT, "; the host is down, or a firewall drops it"},
    {TWS_CONNECT_RESOURCES, "; out of ports or descriptors, or no such source address here"},
    {TWS_CONNECT_UNREACHABLE, "; is the network (or the uplink's device) up?"},
    {0, ""},
};

static const struct advice http[] = {
    {200, ": an ordinary page, no tunnel; compare the URL's host and path with the server's"},
    {301, ": the server sends elsewhere; give the final URL as server"},
    {302, ": the server sends elsewhere; give the final URL as server"},
    {307, ": the server sends elsewhere; give the final URL as server"},
    {308, ": the server sends elsewhere; give the final URL as server"},
    {400, ": is it wss:// (not ws://), does nginx pass on the Upgrade header, or does it want "
          "another client certificate (cert_file)?"},
    {401, ": the web server wants a login before the tunnel"},
    {403, ": the web server forbids this path or this address"},
    {404, ": no tunnel at this path; compare the URL's path with nginx's location and the "
          "server's path, and see that nginx passes on the Upgrade header"},
    {426, ": it takes no WebSocket this way; does nginx use proxy_http_version 1.1?"},
    {429, ": the web server limits requests"},
    {502, ": nginx is there, tws server behind it is not; is it running, on that port?"},
    {503, ": the web server is there, tws server behind it is not or is full"},
    {504, ": nginx is there, tws server behind it does not answer"},
    {0, ": not a tunnel; compare the URL with the server's"},
};

static const struct advice proxy[] = {
    {403, " (the proxy forbids this host or port)"},
    {405, " (the proxy does not do CONNECT)"},
    {407, " (user or password refused)"},
    {502, " (the proxy cannot reach the server)"},
    {503, " (the proxy cannot reach the server)"},
    {504, " (the proxy cannot reach the server)"},
    {0, ""},
};

static const struct advice tls[] = {
    {SSL_R_WRONG_VERSION_NUMBER, ": no TLS at this port; another port, or ws:// if it is meant"},
    {SSL_R_HTTP_REQUEST, ": no TLS at this port; another port, or ws:// if it is meant"},
    {SSL_R_UNSUPPORTED_PROTOCOL, ": the server speaks only TLS older than 1.2"},
    {0, ""},
};

static const struct advice alerts[] = {
    {SSL_AD_HANDSHAKE_FAILURE, "; it may want a client certificate (cert_file)"},
    {TLS13_AD_CERTIFICATE_REQUIRED, "; it wants a client certificate: set cert_file"},
    {SSL_AD_BAD_CERTIFICATE, "; it does not take the certificate in cert_file"},
    {SSL_AD_UNSUPPORTED_CERTIFICATE, "; it does not take the certificate in cert_file"},
    {SSL_AD_CERTIFICATE_REVOKED, "; the certificate in cert_file is revoked"},
    {SSL_AD_CERTIFICATE_EXPIRED, "; renew the certificate in cert_file"},
    {SSL_AD_CERTIFICATE_UNKNOWN, "; it does not take the certificate in cert_file"},
    {SSL_AD_UNKNOWN_CA, "; it does not know who signed the certificate in cert_file"},
    {SSL_AD_UNRECOGNIZED_NAME, "; it has no site of that name: is sni right?"},
    {SSL_AD_PROTOCOL_VERSION, "; it speaks no TLS that is allowed here (tls_min)"},
    {0, ""},
};

static const struct advice certificate[] = {
    {X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, "; if it is yours, give it as ca_file"},
    {X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, "; if the authority is yours, give it as ca_file"},
    {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
     "; no trusted authority: the server must send its whole chain, or give ca_file"},
    {X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE,
     "; no trusted authority: the server must send its whole chain, or give ca_file"},
    {X509_V_ERR_CERT_HAS_EXPIRED, "; renew it on the server (or is the clock here wrong?)"},
    {X509_V_ERR_CERT_NOT_YET_VALID, "; is the clock of this machine right?"},
    {0, ""},
};

static const char *find(const struct advice *rows, int about)
{
    while (rows->about != 0 && rows->about != about)
        rows++;
    return rows->text;
}

const char *tws_advice_connect(enum tws_connect_failure failure)
{
    return find(connecting, (int)failure);
}

const char *tws_advice_no_answer(void)
{
    return "closed without an HTTP answer; is it a web server, and is the URL's port right, and "
           "ws:// or wss:// for it?";
}

const char *tws_advice_http(unsigned status)
{
    return find(http, (int)status);
}

const char *tws_advice_proxy(unsigned status)
{
    return find(proxy, (int)status);
}

const char *tws_advice_tls(int reason)
{
    return find(tls, reason);
}

const char *tws_advice_alert_name(int alert)
{
    if (alert == TLS13_AD_CERTIFICATE_REQUIRED)
        return "certificate required";
    return SSL_alert_desc_string_long(alert);
}

const char *tws_advice_alert(int alert)
{
    return find(alerts, alert);
}

const char *tws_advice_certificate(int verdict)
{
    return find(certificate, verdict);
}
