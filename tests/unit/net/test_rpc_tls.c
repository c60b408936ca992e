/*
 * test_rpc_tls.c - lib/net/rpc.h with certificates made for the occasion.
 */
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#include "lib/net/net.h"
#include "lib/net/rpc.h"
#include "tests/support/unit.h"

enum {
    PATIENCE_MS = 30 * 1000
};

struct identity {
    EVP_PKEY *key;
    X509 *certificate;
    char key_pem[1024];
    char certificate_pem[2048];
};

static struct fixture {
    struct identity authority;
    struct identity host;
    struct identity stranger_authority;
    struct identity stranger;
    struct rpc_server *server;
    struct rpc_client *client;
    struct error error;
} f;

static void read_bio(BIO *bio, char *text, size_t text_bytes)
{
    int length = BIO_read(bio, text, (int)text_bytes - 1);
    CU_ASSERT_TRUE_FATAL(length > 0 && (size_t)length < text_bytes - 1);
    text[length] = '\0';
    (void)BIO_free(bio);
}

static void add_extension(X509 *certificate, int kind, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, kind, value);
    CU_ASSERT_PTR_NOT_NULL_FATAL(extension);
    CU_ASSERT_EQUAL(X509_add_ext(certificate, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

/* issuer NULL: an authority, signed by itself. */
static void make_identity(struct identity *identity,
                          const char *name,
                          const struct identity *issuer)
{
    static long serial = 1;
    identity->key = EVP_EC_gen("P-256");
    identity->certificate = X509_new();
    X509 *certificate = identity->certificate;
    CU_ASSERT_PTR_NOT_NULL_FATAL(identity->key);
    CU_ASSERT_PTR_NOT_NULL_FATAL(certificate);
    CU_ASSERT_EQUAL(X509_set_version(certificate, 2), 1);
    CU_ASSERT_EQUAL(ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial++), 1);
    CU_ASSERT_PTR_NOT_NULL(X509_gmtime_adj(X509_getm_notBefore(certificate), -3600));
    CU_ASSERT_PTR_NOT_NULL(X509_gmtime_adj(X509_getm_notAfter(certificate), 24L * 3600));
    CU_ASSERT_EQUAL(X509_set_pubkey(certificate, identity->key), 1);
    X509_NAME *subject = X509_get_subject_name(certificate);
    CU_ASSERT_EQUAL(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                                               (const unsigned char *)name, -1, -1, 0),
                    1);
    CU_ASSERT_EQUAL(
        X509_set_issuer_name(certificate,
                             issuer == NULL ? subject : X509_get_subject_name(issuer->certificate)),
        1);
    add_extension(certificate, NID_basic_constraints,
                  issuer == NULL ? "critical,CA:TRUE" : "CA:FALSE");
    if (issuer != NULL)
        add_extension(certificate, NID_subject_alt_name, "IP:127.0.0.1");
    CU_ASSERT_TRUE(
        X509_sign(certificate, issuer == NULL ? identity->key : issuer->key, EVP_sha256()) > 0);
    BIO *bio = BIO_new(BIO_s_mem());
    CU_ASSERT_EQUAL(PEM_write_bio_X509(bio, certificate), 1);
    read_bio(bio, identity->certificate_pem, sizeof(identity->certificate_pem));
    bio = BIO_new(BIO_s_mem());
    CU_ASSERT_EQUAL(PEM_write_bio_PKCS8PrivateKey(bio, identity->key, NULL, NULL, 0, NULL, NULL),
                    1);
    read_bio(bio, identity->key_pem, sizeof(identity->key_pem));
}

static void drop_identity(struct identity *identity)
{
    X509_free(identity->certificate);
    EVP_PKEY_free(identity->key);
}

static struct net_credentials credentials_of(const struct identity *identity,
                                             const struct identity *authority)
{
    return (struct net_credentials){
        .certificate = slice_from_string(identity->certificate_pem),
        .key = slice_from_string(identity->key_pem),
        .authority = slice_from_string(authority->certificate_pem),
    };
}

static void on_request(void *user, struct rpc_request *request)
{
    (void)user;
    rpc_request_reply(request, rpc_request_body(request));
}

static void setup(void)
{
    f = (struct fixture){.server = NULL};
    make_identity(&f.authority, "Millrace test authority", NULL);
    make_identity(&f.host, "host", &f.authority);
    make_identity(&f.stranger_authority, "another authority", NULL);
    make_identity(&f.stranger, "stranger", &f.stranger_authority);
    CU_ASSERT_EQUAL_FATAL(net_open(NULL, &f.error), OK);
    struct net_credentials credentials = credentials_of(&f.host, &f.authority);
    /* Beyond loopback, which certificates make possible. */
    struct rpc_server_options options = {
        .address = "0.0.0.0:0", .credentials = &credentials, .handle = on_request};
    CU_ASSERT_EQUAL_FATAL(rpc_server_open(&options, &f.server, &f.error), OK);
    CU_ASSERT_EQUAL_FATAL(rpc_client_open(NULL, &f.client, &f.error), OK);
}

static void teardown(void)
{
    rpc_client_close(f.client);
    rpc_server_close(f.server, PATIENCE_MS);
    net_close();
    drop_identity(&f.authority);
    drop_identity(&f.host);
    drop_identity(&f.stranger_authority);
    drop_identity(&f.stranger);
}

static enum status call(const struct net_credentials *credentials)
{
    char address[64];
    (void)snprintf(address, sizeof(address), "127.0.0.1:%u", (unsigned)rpc_server_port(f.server));
    struct rpc_channel_options options = {.has_own_connection = true, .credentials = credentials};
    struct rpc_channel *channel = NULL;
    enum status status = rpc_channel_open(f.client, address, &options, &channel, &f.error);
    if (status != OK)
        return status;
    struct buf body = {0};
    struct rpc_call_options call_options = {.timeout_ms = PATIENCE_MS};
    status = rpc_call_wait(channel, "/test.T/Echo", slice_from_string("hello"), &call_options,
                           &body, &f.error);
    if (status == OK)
        CU_ASSERT_STRING_EQUAL(buf_string(&body), "hello");
    buf_close(&body);
    rpc_channel_close(channel);
    return status;
}

static void test_rpc_tls__both_sides_with_certificates_talk(void)
{
    struct net_credentials credentials = credentials_of(&f.host, &f.authority);
    CU_ASSERT_EQUAL(call(&credentials), OK);
}

static void test_rpc_tls__client_of_another_authority_is_refused(void)
{
    struct net_credentials credentials = credentials_of(&f.stranger, &f.authority);
    CU_ASSERT_EQUAL(call(&credentials), ERR_UNAVAILABLE);
}

static void test_rpc_tls__server_of_another_authority_is_refused(void)
{
    struct net_credentials credentials = credentials_of(&f.host, &f.stranger_authority);
    CU_ASSERT_EQUAL(call(&credentials), ERR_UNAVAILABLE);
}

static void test_rpc_tls__client_without_certificate_is_refused(void)
{
    CU_ASSERT_EQUAL(call(NULL), ERR_UNAVAILABLE);
}

static void test_rpc_tls__nonsense_for_certificates_is_refused_at_once(void)
{
    struct net_credentials nonsense = {.certificate = slice_from_string("no"),
                                       .key = slice_from_string("no"),
                                       .authority = slice_from_string("no")};
    struct rpc_server_options options = {
        .address = "127.0.0.1:0", .credentials = &nonsense, .handle = on_request};
    struct rpc_server *server = NULL;
    CU_ASSERT_EQUAL(rpc_server_open(&options, &server, &f.error), ERR_INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.error.text, "certificates"));
    CU_ASSERT_NOT_EQUAL(call(&nonsense), OK);
}

static const struct unit_test tests[] = {
    {"test_rpc_tls__both_sides_with_certificates_talk",            "Both sides with certificates talk.",
     test_rpc_tls__both_sides_with_certificates_talk                                                                                                               },
    {"test_rpc_tls__client_of_another_authority_is_refused",
     "Client of another authority is refused.",                                                          test_rpc_tls__client_of_another_authority_is_refused      },
    {"test_rpc_tls__server_of_another_authority_is_refused",
     "Server of another authority is refused.",                                                          test_rpc_tls__server_of_another_authority_is_refused      },
    {"test_rpc_tls__client_without_certificate_is_refused",
     "Client without certificate is refused.",                                                           test_rpc_tls__client_without_certificate_is_refused       },
    {"test_rpc_tls__nonsense_for_certificates_is_refused_at_once",
     "Nonsense for certificates is refused at once.",                                                    test_rpc_tls__nonsense_for_certificates_is_refused_at_once},
};

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "net/test_rpc_tls", tests, UNIT_COUNT(tests), setup,
                     teardown);
}
