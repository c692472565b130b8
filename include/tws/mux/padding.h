/*
 * padding.h - how many bytes to add to the next message, so that sizes tell less.
 *
 * Deterministic for a seed, as the session is, yet who sees sizes cannot tell the next ones: each
 * number is SipHash-2-4 of a counter under the seed.
 */
#ifndef TWS_MUX_PADDING_H
#define TWS_MUX_PADDING_H

#include <stdint.h>

#define TWS_PADDING_MAX 4096u

struct tws_padding {
    uint32_t max; /* 0: none at all */
    uint64_t key[2], count;
};

void tws_padding_init(struct tws_padding *p, uint32_t max, uint64_t seed);
/* From 0 to `max`, each as likely. */
uint32_t tws_padding_next(struct tws_padding *p);

/* SipHash-2-4 of eight bytes; for the tests. */
uint64_t tws_siphash(const uint64_t key[2], uint64_t word);

#endif
