/*
 * fuzz_proxy_url.c - any text as a proxy's URL: what is taken has a host and a port, and what is
 * refused has a reason and leaves no login behind.
 */
#include "fuzz.h"

#include "tws/proto/proxy_url.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tws_proxy_url url;
    const char *why = NULL;
    char text[2048];

    if (size >= sizeof text)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    if (tws_proxy_url_parse(text, &url, &why) == TWS_OK) {
        REQUIRE(why == NULL && url.address.host[0] != '\0' && url.address.port != 0);
        REQUIRE(url.has_login == (url.user[0] != '\0'));
        REQUIRE(strlen(url.user) <= TWS_PROXY_LOGIN_MAX);
        REQUIRE(strlen(url.password) <= TWS_PROXY_LOGIN_MAX);
    } else {
        REQUIRE(why != NULL && why[0] != '\0');
        REQUIRE(url.user[0] == '\0' && url.password[0] == '\0');
    }
    return 0;
}
