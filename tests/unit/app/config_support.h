/* config_support.h - a configuration made of YAML text: the files are called "f" in complaints. */
#ifndef TWS_TEST_CONFIG_SUPPORT_H
#define TWS_TEST_CONFIG_SUPPORT_H

#include "app_support.h"

#include "tws/app/config.h"

static inline tws_err read_client(const char *yaml, struct said *said,
                                  struct tws_client_config **out)
{
    struct tws_diag diag = listen_to(said);
    struct tws_settings s;

    *out = NULL;
    ck_assert_int_eq(tws_settings_init(&s, TWS_OPT_CLIENT), TWS_OK);
    tws_err err = tws_settings_read_yaml(&s, "f", yaml, strlen(yaml), &diag);
    if (err == TWS_OK)
        err = tws_client_config_new(&s, &diag, out);
    tws_settings_fini(&s);
    return err;
}

static inline tws_err read_server(const char *yaml, struct said *said,
                                  struct tws_server_config **out)
{
    struct tws_diag diag = listen_to(said);
    struct tws_settings s;

    *out = NULL;
    ck_assert_int_eq(tws_settings_init(&s, TWS_OPT_SERVER), TWS_OK);
    tws_err err = tws_settings_read_yaml(&s, "f", yaml, strlen(yaml), &diag);
    if (err == TWS_OK)
        err = tws_server_config_new(&s, &diag, out);
    tws_settings_fini(&s);
    return err;
}

#endif
