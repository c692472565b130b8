/* resend_priv.h - what may travel twice: see resend.c. */
#ifndef TWS_MUX_RESEND_PRIV_H
#define TWS_MUX_RESEND_PRIV_H

#include <stdbool.h>

struct tws_link;
struct tws_record;
struct tws_session;

/* The link is suspect: its DATA and DEADs go again over others, its channels move. */
void tws_resend_suspect(struct tws_link *l);
/* The same for every suspect link: another has come, or answers again. */
void tws_resend_all_suspects(struct tws_session *s);
/* Interactive DATA that was just put into `r` goes over a second link too. */
void tws_resend_redundant(struct tws_link *l, struct tws_record *r);
/* Whether all that matters to the peer in the record is in another record as well. */
bool tws_resend_superseded(struct tws_session *s, const struct tws_record *r);

#endif
