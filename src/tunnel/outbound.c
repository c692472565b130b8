/* outbound.c - see outbound.h. */
#include "tws/tunnel/outbound.h"

#include "tws/base/secret.h"
#include "tws/base/text.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* Every text in it. */
static const size_t texts[] = {
    offsetof(struct tws_outbound, host),      offsetof(struct tws_outbound, headers),
    offsetof(struct tws_outbound, ca_file),   offsetof(struct tws_outbound, sni),
    offsetof(struct tws_outbound, cert_file), offsetof(struct tws_outbound, cert_key_file),
};

#define TEXTS (sizeof texts / sizeof *texts)

static char *text_of(const struct tws_outbound *o, size_t i)
{
    char *text;

    memcpy(&text, (const char *)o + texts[i], sizeof text);
    return text;
}

static void set_text(struct tws_outbound *o, size_t i, char *text)
{
    memcpy((char *)o + texts[i], &text, sizeof text);
}

tws_err tws_outbound_copy(const struct tws_outbound *from, struct tws_outbound *to)
{
    bool good = true;

    *to = *from;
    for (size_t i = 0; i < TEXTS; i++) {
        const char *text = text_of(from, i);
        char *copy = good && text != NULL ? strdup(text) : NULL;

        good = good && (text == NULL || copy != NULL);
        set_text(to, i, copy);
    }
    if (good)
        return TWS_OK;
    tws_outbound_fini(to);
    return TWS_NOMEM;
}

bool tws_outbound_equal(const struct tws_outbound *a, const struct tws_outbound *b)
{
    for (size_t i = 0; i < TEXTS; i++)
        if (!tws_text_equal(text_of(a, i), text_of(b, i)))
            return false;
    return a->insecure == b->insecure && a->tls13 == b->tls13 && tws_pins_equal(&a->pins, &b->pins);
}

void tws_outbound_fini(struct tws_outbound *o)
{
    if (o->headers != NULL)
        tws_wipe(o->headers, strlen(o->headers));
    for (size_t i = 0; i < TEXTS; i++)
        free(text_of(o, i));
    memset(o, 0, sizeof *o);
}
