/* ip_sum.c - see ip_sum_priv.h. The order of the bytes in a word does not matter to such a sum
 * until its end, so words are taken as the machine has them, four bytes at once. */
#include "ip_sum_priv.h"

#include <string.h>

static uint64_t word(const uint8_t *p)
{
    uint32_t v;

    memcpy(&v, p, sizeof v);
    return v;
}

uint64_t tws_ip_sum_add(uint64_t sum, const uint8_t *p, size_t n)
{
    uint8_t rest[4] = {0};

    for (; n >= 32; n -= 32, p += 32)
        sum += ((word(p) + word(p + 4)) + (word(p + 8) + word(p + 12))) +
               ((word(p + 16) + word(p + 20)) + (word(p + 24) + word(p + 28)));
    for (; n >= 4; n -= 4, p += 4)
        sum += word(p);
    memcpy(rest, p, n);
    return sum + word(rest);
}

uint16_t tws_ip_sum_fold(uint64_t sum)
{
    uint8_t bytes[2];

    while (sum > 0xffffu)
        sum = (sum & 0xffffu) + (sum >> 16);
    uint16_t folded = (uint16_t)sum;
    memcpy(bytes, &folded, sizeof bytes);
    return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

uint64_t tws_ip_sum_pseudo(const uint8_t *packet, uint8_t protocol, size_t n)
{
    const uint8_t rest[4] = {0, protocol, (uint8_t)(n >> 8), (uint8_t)n};
    uint64_t sum = word(rest);

    return packet[0] >> 4 == 4 ? tws_ip_sum_add(sum, packet + 12, 8)
                               : tws_ip_sum_add(sum, packet + 8, 32);
}

uint64_t tws_ip_sum_transport(const uint8_t *packet, uint8_t protocol, size_t transport, size_t n)
{
    return tws_ip_sum_add(tws_ip_sum_pseudo(packet, protocol, n - transport), packet + transport,
                          n - transport);
}
