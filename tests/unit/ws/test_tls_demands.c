/* test_tls_demands.c - what a user may demand of the server beside its certificate, and show it:
 * pinned keys, another name, TLS 1.3, a client certificate. */
#include "peers.h"
#include "tls_front.h"

#include "tws/ws/identity.h"
#include "tws/ws/pin.h"

#include <sys/stat.h>

static struct peers *p;
static struct cert ca, leaf;
static struct tls_front *f;
static char folder[] = "/tmp/tws-test-XXXXXX", ca_path[64], cert_path[64], key_path[64];

static void write_key(const struct cert *c, const char *path, const char *passphrase)
{
    FILE *file = fopen(path, "w");

    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(PEM_write_PKCS8PrivateKey(file, c->key,
                                               passphrase != NULL ? EVP_aes_128_cbc() : NULL,
                                               passphrase, passphrase != NULL ? 4 : 0, NULL, NULL),
                     1);
    fclose(file);
}

static void setup(void)
{
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(ca_path, sizeof(ca_path), "%s/ca", folder);
    snprintf(cert_path, sizeof(cert_path), "%s/cert", folder);
    snprintf(key_path, sizeof(key_path), "%s/key", folder);
    ca = cert_make(NULL, NULL, 3600);
    leaf = cert_make("DNS:localhost", &ca, 60);
    cert_write(&ca, ca_path);
    p = peers_new();
    peers_listen(p);
    f = front_new("127.0.0.1", &leaf, p->port);
}

static void teardown(void)
{
    peers_free(p);
    front_free(f);
    cert_free(&ca);
    cert_free(&leaf);
    unlink(ca_path);
    unlink(cert_path);
    unlink(key_path);
    rmdir(folder);
    memcpy(folder + strlen(folder) - 6, "XXXXXX", 6);
}

static struct tws_upgrade_client request(void)
{
    struct tws_upgrade_client c = peers_client(p);

    front_start(f);
    c.tls = true;
    c.host = "localhost";
    c.port = f->port;
    c.ca_file = ca_path;
    return c;
}

static void run(const struct tws_upgrade_client *c)
{
    peers_connect_as(p, c);
    pair_run(p->loop);
}

static void pin_of(const struct cert *c, uint8_t pin[TWS_PIN])
{
    unsigned char *spki = NULL;
    int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(c->x509), &spki);

    ck_assert_int_eq(EVP_Digest(spki, (size_t)n, pin, NULL, EVP_sha256(), NULL), 1);
    OPENSSL_free(spki);
}

/* ---- pins ---- */

static const struct {
    bool right, insecure, stranger; /* stranger: no CA we trust has signed it */
    bool good;
} pins[] = {
    {true, false, false, true}, {false, false, false, false}, {true, true, true, true},
    {false, true, true, false}, {true, false, true, false},
};

START_TEST(a_pinned_key_counts_beside_the_certificate_and_alone_when_insecure)
{
    struct tws_pins set = {.n = 2};
    uint8_t seen[TWS_PIN];
    char text[TWS_PIN_TEXT], why[256];
    struct tws_upgrade_client c = request();

    pin_of(&leaf, seen);
    if (pins[_i].right)
        memcpy(set.keys[1], seen, TWS_PIN);
    if (pins[_i].stranger)
        c.ca_file = "/dev/null";
    if (pins[_i].stranger && !pins[_i].insecure) {
        struct cert other = cert_make(NULL, NULL, 60);
        cert_write(&other, cert_path);
        cert_free(&other);
        c.ca_file = cert_path;
    }
    c.insecure = pins[_i].insecure;
    c.pins = &set;
    run(&c);
    ck_assert_msg((p->wires == 2) == pins[_i].good, "%s", p->client.why);
    if (pins[_i].good)
        return;
    tws_pin_format(seen, text);
    snprintf(why, sizeof(why),
             "TLS: the server's key is %s, which is not pinned; another key, or another server",
             text);
    ck_assert_uint_eq(p->server.opens, 0);
    if (pins[_i].right) /* and yet not believed */
        ck_assert_ptr_nonnull(strstr(p->client.why, "TLS: certificate: "));
    else
        ck_assert_str_eq(p->client.why, why);
}
END_TEST

static const struct {
    const char *text;
    bool good;
} pin_texts[] = {
    {"sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", true},
    {"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", true},
    {"sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB=", false}, /* stray bits */
    {"sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", false},
    {"sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==", false},
    {"sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA =", false},
    {"sha1//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", false},
    {"", false},
};

START_TEST(a_pin_is_44_characters_of_base64)
{
    uint8_t pin[TWS_PIN];
    char text[TWS_PIN_TEXT];

    ck_assert_int_eq(tws_pin_parse(pin_texts[_i].text, pin) == TWS_OK, pin_texts[_i].good);
    if (!pin_texts[_i].good)
        return;
    tws_pin_format(pin, text);
    ck_assert_ptr_nonnull(strstr(text, pin_texts[_i].text));
}
END_TEST

/* ---- names ---- */

static const struct {
    const char *host, *sni, *san;
    bool good;
    const char *sent; /* "-": none */
} names[] = {
    {"127.0.0.1", "front.example", "DNS:front.example", true, "front.example"},
    {"localhost", "front.example", "DNS:localhost", false, NULL},
    {"localhost", "", "DNS:localhost", true, "-"},
    {"localhost", "", "DNS:other", false, NULL},
    {"localhost", NULL, "DNS:localhost", true, "localhost"},
};

START_TEST(the_certificate_is_for_the_name_that_is_sent)
{
    struct cert other = cert_make(names[_i].san, &ca, 60);
    struct tws_upgrade_client c;

    SSL_CTX_use_certificate(f->ctx, other.x509);
    SSL_CTX_use_PrivateKey(f->ctx, other.key);
    cert_free(&other);
    c = request();
    c.host = names[_i].host;
    c.sni = names[_i].sni;
    run(&c);
    ck_assert_msg((p->wires == 2) == names[_i].good, "%s", p->client.why);
    if (names[_i].good)
        ck_assert_str_eq(f->sni, names[_i].sent);
    else
        ck_assert_ptr_nonnull(strstr(p->client.why, "certificate is not for "));
}
END_TEST

START_TEST(tls_1_2_may_be_too_old)
{
    struct tws_upgrade_client c;

    SSL_CTX_set_max_proto_version(f->ctx, TLS1_2_VERSION);
    c = request();
    c.tls13 = _i != 0;
    run(&c);
    ck_assert_msg((p->wires == 2) == (_i == 0), "%s", p->client.why);
    if (_i != 0)
        ck_assert_ptr_nonnull(strstr(p->client.why, "protocol version"));
}
END_TEST

/* ---- the client's certificate ---- */

enum shown { NOTHING, RIGHT, OF_A_STRANGER };

static const struct {
    enum shown shown;
    int version;
} certs[] = {
    {RIGHT, TLS1_3_VERSION},   {RIGHT, TLS1_2_VERSION},         {NOTHING, TLS1_3_VERSION},
    {NOTHING, TLS1_2_VERSION}, {OF_A_STRANGER, TLS1_3_VERSION}, {OF_A_STRANGER, TLS1_2_VERSION},
};

START_TEST(a_server_that_asks_for_a_certificate_gets_it)
{
    struct cert stranger = cert_make(NULL, NULL, 60);
    struct cert mine = cert_make("DNS:me", certs[_i].shown == OF_A_STRANGER ? &stranger : &ca, 60);
    struct tws_upgrade_client c;

    cert_write(&mine, cert_path);
    write_key(&mine, key_path, NULL);
    SSL_CTX_set_verify(f->ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    X509_STORE_add_cert(SSL_CTX_get_cert_store(f->ctx), ca.x509);
    SSL_CTX_set_max_proto_version(f->ctx, certs[_i].version);
    SSL_CTX_set_min_proto_version(f->ctx, certs[_i].version);
    c = request();
    if (certs[_i].shown != NOTHING) {
        c.cert_file = cert_path;
        c.cert_key_file = key_path;
    }
    run(&c);
    ck_assert_msg((p->wires == 2) == (certs[_i].shown == RIGHT), "%s", p->client.why);
    if (certs[_i].shown != RIGHT)
        ck_assert_msg(strncmp(p->client.why, "TLS: the server answers: ", 25) == 0 &&
                          strstr(p->client.why, "cert_file") != NULL,
                      "%s", p->client.why);
    cert_free(&stranger);
    cert_free(&mine);
}
END_TEST

START_TEST(files_that_are_no_identity_are_named)
{
    struct cert mine = cert_make("DNS:me", &ca, 60), other = cert_make("DNS:me", &ca, 60);
    struct tws_identity *id = NULL;
    char why[TWS_IDENTITY_WHY], expected[TWS_IDENTITY_WHY];

    ck_assert_int_eq(tws_identity_load("/nowhere/cert", key_path, &id, why), TWS_CONFIG);
    ck_assert_str_eq(why, "/nowhere/cert: No such file or directory");
    cert_write(&mine, cert_path);
    ck_assert_int_eq(tws_identity_load(cert_path, NULL, &id, why), TWS_CONFIG);
    snprintf(expected, sizeof(expected), "%s: no private key in PEM form", cert_path);
    ck_assert_str_eq(why, expected);
    write_key(&other, key_path, NULL);
    ck_assert_int_eq(tws_identity_load(cert_path, key_path, &id, why), TWS_CONFIG);
    ck_assert_ptr_nonnull(strstr(why, "is not that of the certificate"));
    write_key(&mine, key_path, "open");
    ck_assert_int_eq(tws_identity_load(cert_path, key_path, &id, why), TWS_CONFIG);
    ck_assert_ptr_nonnull(strstr(why, "the key needs a passphrase"));
    ck_assert_int_eq(tws_identity_load(key_path, key_path, &id, why), TWS_CONFIG);
    ck_assert_ptr_nonnull(strstr(why, "no certificate in PEM form"));
    write_key(&mine, key_path, NULL);
    ck_assert_int_eq(tws_identity_load(cert_path, key_path, &id, why), TWS_OK);
    tws_identity_free(id);
    cert_free(&mine);
    cert_free(&other);
    front_start(f);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("ws/tls_demands");
    TCase *t = tcase_create("tls_demands");
    SRunner *r;
    int failed;

    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, a_pinned_key_counts_beside_the_certificate_and_alone_when_insecure, 0,
                        sizeof(pins) / sizeof(pins[0]));
    tcase_add_loop_test(t, the_certificate_is_for_the_name_that_is_sent, 0,
                        sizeof(names) / sizeof(names[0]));
    tcase_add_loop_test(t, tls_1_2_may_be_too_old, 0, 2);
    tcase_add_loop_test(t, a_server_that_asks_for_a_certificate_gets_it, 0,
                        sizeof(certs) / sizeof(certs[0]));
    tcase_add_test(t, files_that_are_no_identity_are_named);
    suite_add_tcase(s, t);
    t = tcase_create("pin");
    tcase_add_loop_test(t, a_pin_is_44_characters_of_base64, 0,
                        sizeof(pin_texts) / sizeof(pin_texts[0]));
    suite_add_tcase(s, t);
    r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed == 0 ? 0 : 1;
}
