/* login.c - see login_priv.h. */
#include "login_priv.h"

#include "tws/base/secret.h"

static bool fits(const char *want, struct tws_span got)
{
    size_t n = strlen(want);

    return n == got.n && tws_equal_secret(want, got.p, n);
}

bool tws_login_fits(const struct tws_forward *f, struct tws_span user, struct tws_span password)
{
    if (f->user == NULL)
        return true;
    bool user_fits = fits(f->user, user), password_fits = fits(f->password, password);
    return user_fits && password_fits;
}
