/*
 * key.h - keys as text, and the files that hold them.
 *
 *      tws2-key-<key id, 16 hex digits>-<pre-shared key, 43 characters of base64url>
 *
 * A key file holds that line; lines that begin with # are comments. Only its owner may be able to
 * read it, except below $CREDENTIALS_DIRECTORY, which systemd keeps to the service.
 */
#ifndef TWS_APP_KEY_H
#define TWS_APP_KEY_H

#include "tws/app/diag.h"
#include "tws/tunnel/config.h"

#define TWS_KEY_PREFIX "tws2-key-"
#define TWS_KEY_TEXT   (9 + 16 + 1 + 43 + 1) /* with NUL */

TWS_MUST_USE tws_err tws_key_generate(struct tws_key *out);
void tws_key_format(const struct tws_key *key, char out[TWS_KEY_TEXT]);
/* TWS_ABSENT: not a key. */
TWS_MUST_USE tws_err tws_key_parse(const char *text, struct tws_key *out);
/* The same of the id (hex) and the secret (base64url) apart. */
TWS_MUST_USE tws_err tws_key_parse_parts(const char *id, const char *psk, struct tws_key *out);

/* "$CREDENTIALS_DIRECTORY/x" and "${CREDENTIALS_DIRECTORY}/x" with the environment's directory; any
 * other path as it is. *out is the caller's to free. TWS_CONFIG: said why; TWS_NOMEM. */
TWS_MUST_USE tws_err tws_secret_path(const char *path, char **out, struct tws_diag *diag);

/* The key in the file. TWS_CONFIG: said why; TWS_NOMEM. */
TWS_MUST_USE tws_err tws_key_file_read(const char *where, const char *path, struct tws_key *out,
                                       struct tws_diag *diag);

/* The key of a passphrase (key id zero); warns of a weak one. Takes a tenth of a second. */
TWS_MUST_USE tws_err tws_key_of_passphrase(const char *where, const char *passphrase,
                                           struct tws_key *out, struct tws_diag *diag);

#endif
