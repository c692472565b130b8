/* access.c - see access_priv.h. */
#include "access_priv.h"

#include "tws/base/text.h"

#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>

#define ONLY_OWNER 0600
#define NAME_BYTES 64

static bool parse_mode(const char *text, mode_t *out)
{
    size_t n = strlen(text);
    mode_t mode = 0;

    if (n < 3 || n > 4 || (n == 4 && text[0] != '0'))
        return false;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '7')
            return false;
        mode = mode * 8 + (mode_t)(*text - '0');
    }
    *out = mode;
    return true;
}

static bool parse_user(const char *name, uid_t *out)
{
    const struct passwd *user = NULL;
    uint64_t number = 0;

    if (name[0] == '\0')
        return true;
    if (tws_text_u64(name, UINT32_MAX - 1, &number) == TWS_OK) {
        *out = (uid_t)number;
        return true;
    }
    user = getpwnam(name);
    if (user != NULL)
        *out = user->pw_uid;
    return user != NULL;
}

static bool parse_group(const char *name, gid_t *out)
{
    const struct group *group = NULL;
    uint64_t number = 0;

    if (name[0] == '\0')
        return true;
    if (tws_text_u64(name, UINT32_MAX - 1, &number) == TWS_OK) {
        *out = (gid_t)number;
        return true;
    }
    group = getgrnam(name);
    if (group != NULL)
        *out = group->gr_gid;
    return group != NULL;
}

const char *tws_access_parse(const char *mode, const char *owner, struct tws_unix_access *out)
{
    char user[NAME_BYTES] = "";
    const char *colon = owner != NULL ? strchr(owner, ':') : NULL;
    size_t n = colon != NULL ? (size_t)(colon - owner) : owner != NULL ? strlen(owner) : 0;

    *out = (struct tws_unix_access){.mode = ONLY_OWNER, .owner = (uid_t)-1, .group = (gid_t)-1};
    if (mode != NULL && !parse_mode(mode, &out->mode))
        return "listen_mode: expected an octal mode such as 0660";
    if (n >= sizeof user)
        return "listen_owner: there is no such user on this machine";
    if (n > 0)
        memcpy(user, owner, n);
    if (!parse_user(user, &out->owner))
        return "listen_owner: there is no such user on this machine";
    if (colon != NULL && !parse_group(colon + 1, &out->group))
        return "listen_owner: there is no such group on this machine";
    return NULL;
}
