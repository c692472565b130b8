/* padding.c - see padding.h; SipHash by Aumasson and Bernstein, for input of one word. */
#include "tws/mux/padding.h"

static uint64_t rotl(uint64_t v, unsigned n)
{
    return v << n | v >> (64 - n);
}

static void sip_rounds(uint64_t v[4], int n)
{
    while (n-- > 0) {
        v[0] += v[1];
        v[1] = rotl(v[1], 13) ^ v[0];
        v[0] = rotl(v[0], 32);
        v[2] += v[3];
        v[3] = rotl(v[3], 16) ^ v[2];
        v[0] += v[3];
        v[3] = rotl(v[3], 21) ^ v[0];
        v[2] += v[1];
        v[1] = rotl(v[1], 17) ^ v[2];
        v[2] = rotl(v[2], 32);
    }
}

static void take_word(uint64_t v[4], uint64_t word)
{
    v[3] ^= word;
    sip_rounds(v, 2);
    v[0] ^= word;
}

uint64_t tws_siphash(const uint64_t key[2], uint64_t word)
{
    uint64_t v[4] = {key[0] ^ 0x736f6d6570736575u, key[1] ^ 0x646f72616e646f6du,
                     key[0] ^ 0x6c7967656e657261u, key[1] ^ 0x7465646279746573u};

    take_word(v, word);
    take_word(v, UINT64_C(8) << 56); /* the length */
    v[2] ^= 0xff;
    sip_rounds(v, 4);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

void tws_padding_init(struct tws_padding *p, uint32_t max, uint64_t seed)
{
    *p = (struct tws_padding){.max = max < TWS_PADDING_MAX ? max : TWS_PADDING_MAX,
                              .key = {seed, ~seed}};
}

uint32_t tws_padding_next(struct tws_padding *p)
{
    uint64_t random = tws_siphash(p->key, p->count++) >> 32;

    return (uint32_t)(random * (p->max + 1u) >> 32);
}
