/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tls - a stream's layer that speaks TLS by OpenSSL.
 *
 * OpenSSL reads and writes through a BIO of our own: its socket BIO would raise SIGPIPE. No run waits inside OpenSSL: a
 * call that can't go on returns, we wait, and call again. OpenSSL keeps its errors per thread, and many runs share one:
 * so the queue is emptied before every call and read right after it.
 *
 * Diagnostics: "TLS handshake with PEER: ..." and what OpenSSL, the other side's alert or the verification said; those
 * that people meet have words of their own (reasons[]).
 */
#include "plugins/common/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "plugins/common/now.h"
#include "plugins/common/say.h"

struct session {
    SSL_CTX *context;
    SSL *ssl;
    BIO_METHOD *method;
    int error; /* errno of the last failed send() or recv() */
    bool client_cert_wanted;
};

/* ---- the BIO ------------------------------------------------------------------------------------------------- */

static bool is_passing(int error)
{
    return error == EAGAIN || error == EINTR;
}

static int bio_write(BIO *bio, const char *from, int size)
{
    struct stream *s = BIO_get_data(bio);
    struct session *session = s->layer_state;
    BIO_clear_retry_flags(bio);
    ssize_t n = send(s->fd, from, (size_t)size, MSG_NOSIGNAL);
    if (n < 0 && is_passing(errno))
        BIO_set_retry_write(bio);
    else if (n < 0)
        session->error = errno;
    return (int)n;
}

static int bio_read(BIO *bio, char *into, int size)
{
    struct stream *s = BIO_get_data(bio);
    struct session *session = s->layer_state;
    BIO_clear_retry_flags(bio);
    ssize_t n = recv(s->fd, into, (size_t)size, 0);
    if (n < 0 && is_passing(errno))
        BIO_set_retry_read(bio);
    else if (n < 0)
        session->error = errno;
    if (n == 0)
        BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
    return (int)n;
}

static long bio_control(BIO *bio, int command, long number, void *pointer)
{
    (void)number;
    (void)pointer;
    if (command == BIO_CTRL_EOF)
        return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0;
    return command == BIO_CTRL_FLUSH;
}

static bool attach(struct stream *s, struct session *session)
{
    session->method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "belfry stream");
    if (!session->method)
        return false;
    BIO_meth_set_write(session->method, bio_write);
    BIO_meth_set_read(session->method, bio_read);
    BIO_meth_set_ctrl(session->method, bio_control);
    BIO *bio = BIO_new(session->method);
    if (!bio)
        return false;
    BIO_set_data(bio, s);
    BIO_set_init(bio, 1);
    SSL_set_bio(session->ssl, bio, bio);
    return true;
}

/* ---- words --------------------------------------------------------------------------------------------------- */

static const struct {
    int reason;
    const char *text;
} reasons[] = {
    { SSL_R_WRONG_VERSION_NUMBER, "its answer is not TLS (a plain-text port, or one that wants STARTTLS?)" },
    { SSL_R_PACKET_LENGTH_TOO_LONG, "its answer is not TLS" },
    { SSL_R_RECORD_LENGTH_MISMATCH, "its answer is not TLS" },
    { SSL_R_HTTP_REQUEST, "its answer is not TLS but HTTP" },
    { SSL_R_UNSUPPORTED_PROTOCOL, "it speaks only protocols older than is allowed here" },
    { SSL_R_TLSV1_ALERT_PROTOCOL_VERSION, "it refuses the protocol versions that are allowed here" },
    { SSL_R_NO_PROTOCOLS_AVAILABLE, "no protocol version is left to offer" },
    { SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE,
      "it refuses the handshake (no cipher in common, or a name it doesn't serve)" },
    { SSL_R_TLSV1_UNRECOGNIZED_NAME, "it does not serve this name (SNI)" },
    { SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED, "it wants a client certificate" },
    { SSL_R_SSLV3_ALERT_BAD_CERTIFICATE, "it refuses the client certificate" },
    { SSL_R_TLSV1_ALERT_UNKNOWN_CA, "it does not know the authority of the client certificate" },
    { SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED, "the client certificate has expired" },
    { SSL_R_UNEXPECTED_EOF_WHILE_READING, "the connection was closed" },
    { SSL_R_DH_KEY_TOO_SMALL, "its Diffie-Hellman key is too small" },
    { SSL_R_EXCESSIVE_MESSAGE_SIZE, "its certificates are too many or too large" },
};

static const char *say_reason(struct belfry_probe *p, unsigned long code)
{
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
        if (ERR_GET_LIB(code) == ERR_LIB_SSL && ERR_GET_REASON(code) == reasons[i].reason)
            return reasons[i].text;
    const char *text = ERR_reason_error_string(code);
    return text ? belfry_print(p, "%s", text) : belfry_print(p, "error %lx", code);
}

/* Why the last call of OpenSSL failed. */
static const char *say_failure(struct belfry_probe *p, const struct session *session, int kind)
{
    unsigned long code = ERR_peek_error();
    if (kind == SSL_ERROR_SYSCALL && session->error != 0)
        return say_error(p, session->error);
    return code ? say_reason(p, code) : "the connection was closed";
}

/* ---- the layer ----------------------------------------------------------------------------------------------- */

/* After a call that did not succeed: 0 to call again, negative when it failed (s->why). */
static int go_on(struct stream *s, int result)
{
    struct session *session = s->layer_state;
    int kind = SSL_get_error(session->ssl, result);
    if (kind == SSL_ERROR_WANT_READ || kind == SSL_ERROR_WANT_WRITE) {
        int ready = stream_wait(s, kind == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT);
        return ready < 0 ? ready : 0;
    }
    s->why = say_failure(s->p, session, kind);
    ERR_clear_error();
    return kind == SSL_ERROR_SYSCALL && session->error ? -session->error : -EPROTO;
}

static int64_t read_tls(struct stream *s, void *into, size_t size)
{
    struct session *session = s->layer_state;
    size_t n = 0;
    int error = SSL_has_pending(session->ssl) ? 0 : stream_wait(s, POLLIN);
    while (error >= 0) {
        ERR_clear_error();
        int result = SSL_read_ex(session->ssl, into, size, &n);
        if (result == 1)
            return (int64_t)n;
        bool cut = ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
        if (cut || SSL_get_error(session->ssl, result) == SSL_ERROR_ZERO_RETURN)
            return 0;
        error = go_on(s, result);
    }
    return error;
}

static int write_tls(struct stream *s, const void *from, size_t size)
{
    struct session *session = s->layer_state;
    size_t n = 0;
    int error = 0;
    while (size > 0 && error == 0) {
        ERR_clear_error();
        int result = SSL_write_ex(session->ssl, from, size, &n);
        if (result == 1)
            break;
        error = go_on(s, result);
    }
    return error;
}

static void free_session(struct session *session)
{
    SSL_free(session->ssl); /* and the BIO */
    SSL_CTX_free(session->context);
    BIO_meth_free(session->method);
    ERR_clear_error();
}

static void close_tls(struct stream *s)
{
    struct session *session = s->layer_state;
    ERR_clear_error();
    if (SSL_is_init_finished(session->ssl))
        SSL_shutdown(session->ssl); /* says good-bye; nobody waits for the answer */
    free_session(session);
    s->layer_state = NULL;
}

static const struct stream_layer layer = { read_tls, write_tls, close_tls };

struct ssl_st *tls_session(const struct stream *s)
{
    const struct session *session = s->layer == &layer ? s->layer_state : NULL;
    return session ? session->ssl : NULL;
}

/* ---- setting up ---------------------------------------------------------------------------------------------- */

static bool is_address(const char *host)
{
    struct in6_addr address;
    return inet_pton(AF_INET, host, &address) == 1 || inet_pton(AF_INET6, host, &address) == 1;
}

static int take_anyone(X509_STORE_CTX *context, void *user)
{
    (void)context;
    (void)user;
    return 1;
}

static int note_wish(SSL *ssl, X509 **certificate, EVP_PKEY **key)
{
    struct session *session = SSL_get_app_data(ssl);
    (void)certificate;
    (void)key;
    session->client_cert_wanted = true;
    return 0; /* none */
}

static const char *set_client_cert(struct belfry_probe *p, SSL_CTX *context, const struct stream_tls *setup)
{
    const char *key = setup->client_key ? setup->client_key : setup->client_cert;
    if (!setup->client_cert) {
        SSL_CTX_set_client_cert_cb(context, note_wish);
        return NULL;
    }
    if (SSL_CTX_use_certificate_chain_file(context, setup->client_cert) != 1)
        return belfry_print(p, "'%s' can't be read as a PEM certificate: %s", setup->client_cert,
                            say_reason(p, ERR_peek_error()));
    if (SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1)
        return belfry_print(p, "'%s' can't be read as the private key of '%s': %s", key, setup->client_cert,
                            say_reason(p, ERR_peek_error()));
    if (SSL_CTX_check_private_key(context) != 1)
        return belfry_print(p, "'%s' is not the private key of '%s'", key, setup->client_cert);
    return NULL;
}

static const char *set_trust(struct belfry_probe *p, SSL_CTX *context, const struct stream_tls *setup)
{
    const char *why = NULL;
    if (setup->insecure) {
        SSL_CTX_set_cert_verify_callback(context, take_anyone, NULL);
        return NULL;
    }
    X509_STORE *store = tls_trust(p, setup->ca_file, setup->ca_dir, &why);
    if (!store)
        return why;
    SSL_CTX_set_cert_store(context, store);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    return NULL;
}

static int no_password(char *into, int size, int writing, void *user)
{
    (void)into;
    (void)size;
    (void)writing;
    (void)user;
    return -1; /* OpenSSL would ask the terminal */
}

/* NULL, or what can't work. */
static const char *set_context(struct belfry_probe *p, SSL_CTX *context, const struct stream_tls *setup)
{
    SSL_CTX_set_default_passwd_cb(context, no_password);
    if (setup->weak) {
        SSL_CTX_set_security_level(context, 0);
        SSL_CTX_set_options(context, SSL_OP_LEGACY_SERVER_CONNECT);
    }
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(context, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_min_proto_version(context, setup->min_protocol ? setup->min_protocol : TLS1_2_VERSION);
    if (setup->max_protocol)
        SSL_CTX_set_max_proto_version(context, setup->max_protocol);
    if (setup->ciphers && SSL_CTX_set_cipher_list(context, setup->ciphers) != 1)
        return belfry_print(p, "'%s' names no cipher that OpenSSL knows", setup->ciphers);
    const char *why = set_trust(p, context, setup);
    return why ? why : set_client_cert(p, context, setup);
}

static void set_names(SSL *ssl, const struct stream_tls *setup)
{
    const char *sni = setup->sni ? setup->sni : setup->host;
    if (sni && *sni && !is_address(sni))
        SSL_set_tlsext_host_name(ssl, sni);
    if (!setup->host || setup->insecure)
        return;
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (is_address(setup->host))
        X509_VERIFY_PARAM_set1_ip_asc(param, setup->host);
    else
        X509_VERIFY_PARAM_set1_host(param, setup->host, 0);
}

/* NULL, or what can't work. */
static const char *set_up(struct stream *s, struct session *session, const struct stream_tls *setup)
{
    session->context = SSL_CTX_new(TLS_client_method());
    const char *why = session->context ? set_context(s->p, session->context, setup) : "OpenSSL has no memory";
    if (why)
        return why;
    session->ssl = SSL_new(session->context);
    if (!session->ssl || !attach(s, session))
        return "OpenSSL has no memory";
    SSL_set_app_data(session->ssl, session);
    SSL_set_connect_state(session->ssl);
    set_names(session->ssl, setup);
    if (setup->want_ocsp)
        SSL_set_tlsext_status_type(session->ssl, TLSEXT_STATUSTYPE_ocsp);
    return NULL;
}

/* ---- the handshake ------------------------------------------------------------------------------------------- */

static int shake_hands(struct stream *s, struct session *session)
{
    for (;;) {
        ERR_clear_error();
        int result = SSL_do_handshake(session->ssl);
        if (result == 1)
            return 0;
        int error = go_on(s, result);
        if (error < 0)
            return error;
    }
}

static void read_session(struct belfry_probe *p, const struct session *session, struct tls_report *report)
{
    unsigned char *ocsp = NULL;
    long size = SSL_get_tlsext_status_ocsp_resp(session->ssl, &ocsp);
    report->protocol = SSL_get_version(session->ssl);
    report->cipher = belfry_print(p, "%s", SSL_get_cipher_name(session->ssl));
    if (!ocsp || size <= 0)
        return;
    report->ocsp = (const unsigned char *)say_copy(p, ocsp, (size_t)size);
    report->ocsp_size = (size_t)size;
}

static void explain(struct stream *s, const struct session *session, const char *peer, int error,
                    struct tls_report *report)
{
    long verified = SSL_get_verify_result(session->ssl);
    const char *what = s->why;
    report->end = TLS_UNREACHABLE;
    report->refused = error == -EPROTO;
    if (error == -ETIMEDOUT)
        what = belfry_print(s->p, "timed out after %s", say_seconds(s->p, report->handshake_s));
    else if (verified != X509_V_OK) {
        report->end = TLS_DISTRUSTED;
        what = X509_verify_cert_error_string(verified);
    } else if (!what)
        what = say_error(s->p, error);
    report->why = belfry_print(s->p, "%s %s: %s",
                               report->end == TLS_DISTRUSTED ? "certificate of" : "TLS handshake with", peer, what);
}

int stream_start_tls(struct stream *s, const struct stream_tls *setup, const char *peer, struct tls_report *report)
{
    struct session *session = belfry_alloc(s->p, sizeof *session);
    double begin = now_s();
    *report = (struct tls_report){ .end = TLS_SECURED };
    ERR_clear_error();
    s->layer_state = session;
    report->why = set_up(s, session, setup);
    if (report->why) {
        report->end = TLS_MISUSED;
        free_session(session);
        s->layer_state = NULL;
        return -EINVAL;
    }
    s->layer = &layer;
    int error = shake_hands(s, session);
    report->handshake_s = now_s() - begin;
    report->client_cert_wanted = session->client_cert_wanted;
    if (error < 0)
        explain(s, session, peer, error, report);
    else
        read_session(s->p, session, report);
    return error;
}
