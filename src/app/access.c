/* access.c - see access_priv.h. */
#include "access_priv.h"

#include "tws/base/text.h"

#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>

#define ONLY_OWNER   0600
#define NAME_BYTES   64
#define RECORD_BYTES 16384 /* of the user database; a group's has all its members */

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
    struct passwd entry, *user = NULL;
    char room[RECORD_BYTES];
    uint64_t number = 0;

    if (name[0] == '\0')
        return true;
    if (tws_text_u64(name, UINT32_MAX - 1, &number) == TWS_OK) {
        *out = (uid_t)number;
        return true;
    }
    if (getpwnam_r(name, &entry, room, sizeof room, &user) != 0 || user == NULL)
        return false;
    *out = user->pw_uid;
    return true;
}

static bool parse_group(const char *name, gid_t *out)
{
    struct group entry, *group = NULL;
    char room[RECORD_BYTES];
    uint64_t number = 0;

    if (name[0] == '\0')
        return true;
    if (tws_text_u64(name, UINT32_MAX - 1, &number) == TWS_OK) {
        *out = (gid_t)number;
        return true;
    }
    if (getgrnam_r(name, &entry, room, sizeof room, &group) != 0 || group == NULL)
        return false;
    *out = group->gr_gid;
    return true;
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
    (void)snprintf(user, sizeof user, "%.*s", (int)n, owner != NULL ? owner : "");
    if (!parse_user(user, &out->owner))
        return "listen_owner: there is no such user on this machine";
    if (colon != NULL && !parse_group(colon + 1, &out->group))
        return "listen_owner: there is no such group on this machine";
    return NULL;
}
