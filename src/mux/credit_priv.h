/* credit_priv.h - what credit.c does for the files of this layer. */
#ifndef TWS_MUX_CREDIT_PRIV_H
#define TWS_MUX_CREDIT_PRIV_H

#include <stdbool.h>
#include <stdint.h>

struct tws_channel;
struct tws_session;

uint32_t tws_credit_first(const struct tws_session *s);
/* Tunes the window after consumption and says whether a WINDOW is due. */
bool tws_credit_consumed(struct tws_channel *ch, uint64_t now);
/* Raises the limit for a WINDOW, OPEN or OPENED that is going out. */
void tws_credit_grant(struct tws_channel *ch);
/* `n` bytes of the grant were consumed, or (TWS_NEVER) the rest is not going to be used. */
void tws_credit_release(struct tws_channel *ch, uint64_t n);

#endif
