/* source_limit.c - see source_limit_priv.h. */
#include "source_limit_priv.h"

#define SECOND_US 1000000u

/* FNV-1a over the network. */
static uint32_t slot_of(const struct tws_sockaddr *source)
{
    uint32_t h = 2166136261u;
    struct tws_ip ip;
    uint16_t port;

    tws_sockaddr_get(source, &ip, &port);
    for (size_t i = 0; i < (ip.family == 6 ? 8 : 4); i++)
        h = (h ^ ip.bytes[i]) * 16777619u;
    return h % TWS_SOURCE_SLOTS;
}

bool tws_source_limit_allow(struct tws_source_limit *l, const struct tws_sockaddr *source,
                            uint64_t now_us)
{
    uint64_t *until = &l->until_us[slot_of(source)];

    if (now_us < *until)
        return false;
    *until = now_us + SECOND_US;
    return true;
}
