/*
 * identity.h - a certificate with its chain and private key, from PEM files: what a server shows
 * its clients, or a client that is asked for one.
 */
#ifndef TWS_WS_IDENTITY_H
#define TWS_WS_IDENTITY_H

#include "tws/base/err.h"

#include <stddef.h>

struct tws_identity;

#define TWS_IDENTITY_WHY 256

/*
 * Reads `cert_file` (the certificate first, then its chain) and `key_file` (NULL: the key is in
 * cert_file too). TWS_CONFIG: `why` (TWS_IDENTITY_WHY bytes) names the file and what is wrong with
 * it, also when the two do not belong together; TWS_NOMEM. A key that needs a passphrase is
 * refused: nobody is there to be asked.
 */
TWS_MUST_USE tws_err tws_identity_load(const char *cert_file, const char *key_file,
                                       struct tws_identity **out, char *why);
/* NULL is fine. */
void tws_identity_free(struct tws_identity *id);

#endif
