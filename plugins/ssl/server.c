/* SPDX-License-Identifier: GPL-3.0-or-later */
/* server - looks at a TLS server.
 *
 * The first connection takes whatever certificate, protocol and cipher comes, for looking at it; what is wrong with
 * them is judged afterwards and told together. It shows the best that the server can do. The worst is found by two more
 * connections (try_weak): one offers only protocols below min_protocol, one only ciphers that protect nothing.
 */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <string.h>

#include "plugins/common/now.h"
#include "plugins/common/say.h"
#include "plugins/ssl/ssl.h"

#define CIPHER_BITS_MIN 128
#define EXCHANGE_BITS_MIN 112
#define PROBE_S 3.0

/* What OpenSSL is asked to offer: all it has; then what nobody should take. */
#define CIPHERS_ALL "DEFAULT:@SECLEVEL=0"
#define CIPHERS_WEAK "aNULL:eNULL:LOW:EXPORT:RC4:DES:3DES:@SECLEVEL=0"

static const struct {
    const char *name;
    int version, below;
} protocols[] = {
    { "1.0", TLS1_VERSION, 0 },
    { "1.1", TLS1_1_VERSION, TLS1_VERSION },
    { "1.2", TLS1_2_VERSION, TLS1_1_VERSION },
    { "1.3", TLS1_3_VERSION, TLS1_2_VERSION },
};

static size_t find_protocol(const char *name)
{
    size_t i = sizeof protocols / sizeof protocols[0] - 1;
    while (i > 0 && strcmp(protocols[i].name, name) != 0)
        i--;
    return i;
}

/* Connects and speaks up to TLS. A negative code says in *why what failed; report->end is set. */
static int reach(struct ssl_target *t, struct stream *s, const struct stream_tls *setup, struct tls_report *report)
{
    const char *address = belfry_text(t->p, "address");
    struct net_target target = { .host = address && *address ? address : t->host,
                                 .port = t->port,
                                 .family = net_family(belfry_text(t->p, "ip_version")),
                                 .until = t->until };
    struct net_report net;
    bool reached = false;
    *report = (struct tls_report){ .end = TLS_UNREACHABLE };
    int error = stream_open(s, t->p, &target, &net);
    t->connect_s = net.connect_s;
    report->why = net.why;
    if (error < 0)
        return error;
    error = ssl_start_by(s, belfry_text(t->p, "starttls"), &report->why, &reached);
    if (error < 0) {
        report->why = belfry_print(t->p, "%s: %s", net.peer, report->why);
        report->end = reached ? TLS_DISTRUSTED : TLS_UNREACHABLE;
        return error;
    }
    return stream_start_tls(s, setup, net.peer, report);
}

/* ---- protocol and cipher ------------------------------------------------------------------------------------- */

/* The key that the server made for this connection: Diffie-Hellman with 1024 bits can be broken (logjam). */
static void judge_exchange(struct ssl_target *t, SSL *ssl)
{
    EVP_PKEY *key = NULL;
    if (SSL_get_peer_tmp_key(ssl, &key) == 1 && EVP_PKEY_get_security_bits(key) < EXCHANGE_BITS_MIN)
        ssl_find(t, BELFRY_CRITICAL, "the key exchange is weak: %s-%d", EVP_PKEY_get0_type_name(key),
                 EVP_PKEY_get_bits(key));
    EVP_PKEY_free(key);
}

static void judge_cipher(struct ssl_target *t, SSL *ssl)
{
    const SSL_CIPHER *cipher = SSL_get_current_cipher(ssl);
    const char *least = belfry_text(t->p, "min_protocol");
    if (SSL_version(ssl) < protocols[find_protocol(least)].version)
        ssl_find(t, BELFRY_CRITICAL, "the server speaks %s at best, less than TLS %s", SSL_get_version(ssl), least);
    if (!cipher)
        return;
    if (SSL_CIPHER_get_bits(cipher, NULL) < CIPHER_BITS_MIN)
        ssl_find(t, BELFRY_CRITICAL, "the cipher %s is weak: %d bits", SSL_CIPHER_get_name(cipher),
                 SSL_CIPHER_get_bits(cipher, NULL));
    if (SSL_CIPHER_get_kx_nid(cipher) == NID_kx_rsa)
        ssl_find(t, BELFRY_WARNING, "the cipher %s has no forward secrecy", SSL_CIPHER_get_name(cipher));
    judge_exchange(t, ssl);
}

/* Whether the server takes an offer that it should refuse. An answer that is neither yes nor no is noted. */
static bool takes(struct ssl_target *t, const struct stream_tls *offer, const char *what, const char **taken)
{
    struct stream s = { .fd = -1 };
    struct tls_report report;
    double connect_s = t->connect_s;
    int error = reach(t, &s, offer, &report);
    t->connect_s = connect_s;
    if (error == 0)
        *taken = strcmp(what, "ciphers") == 0 ? report.cipher : report.protocol;
    else if (!report.refused && error != -ECONNRESET)
        ssl_note(t, "whether weak %s are refused could not be seen: %s", what, report.why);
    stream_close(&s);
    return error == 0;
}

static void try_weak(struct ssl_target *t, int best)
{
    size_t least = find_protocol(belfry_text(t->p, "min_protocol"));
    double until = now_s() + PROBE_S, deadline = now_s() + (double)belfry_left_ms(t->p) / 2000;
    const char *taken = NULL;
    struct stream_tls old = { .host = t->want ? t->want : t->host,
                              .insecure = true,
                              .weak = true,
                              .ciphers = CIPHERS_ALL,
                              .min_protocol = TLS1_VERSION,
                              .max_protocol = protocols[least].below };
    struct stream_tls weak = old;
    weak.ciphers = CIPHERS_WEAK;
    weak.max_protocol = TLS1_2_VERSION;
    until = deadline < until ? deadline : until;
    t->until = t->until > 0 && t->until < until ? t->until : until;
    if (old.max_protocol != 0 && best >= protocols[least].version && takes(t, &old, "protocols", &taken))
        ssl_find(t, BELFRY_WARNING, "the server takes %s as well", taken);
    if (takes(t, &weak, "ciphers", &taken))
        ssl_find(t, BELFRY_CRITICAL, "the server takes the cipher %s, which protects nothing", taken);
}

/* ---- one server ---------------------------------------------------------------------------------------------- */

/* Judges what the handshake brought: the chain, or NULL when it brought no certificate. */
static STACK_OF(X509) * judge_session(struct ssl_target *t, SSL *ssl, const struct tls_report *report)
{
    X509 *leaf = ssl ? SSL_get0_peer_certificate(ssl) : NULL;
    if (!leaf)
        return NULL;
    STACK_OF(X509) *chain = ssl_judge_chain(t, leaf, SSL_get_peer_cert_chain(ssl));
    if (report->end == TLS_SECURED) {
        t->protocol = report->protocol;
        t->tls_s = report->handshake_s;
        judge_cipher(t, ssl);
    }
    if (report->end == TLS_SECURED && chain)
        ssl_judge_staple(t, chain, report);
    if (report->client_cert_wanted)
        ssl_note(t, "the server asks for a client certificate");
    return chain;
}

void ssl_look_at_host(struct ssl_target *t)
{
    struct stream s = { .fd = -1 };
    struct tls_report report;
    struct stream_tls setup = { .host = t->want ? t->want : t->host,
                                .insecure = true,
                                .weak = true,
                                .ciphers = CIPHERS_ALL,
                                .min_protocol = TLS1_VERSION,
                                .client_cert = belfry_text(t->p, "client_cert"),
                                .client_key = belfry_text(t->p, "client_key"),
                                .want_ocsp = true };
    int error = reach(t, &s, &setup, &report), best = 0;
    SSL *ssl = tls_session(&s);
    STACK_OF(X509) *chain = NULL;
    /* a server that wants a client certificate shows its own before it refuses us */
    if (error == 0 || report.client_cert_wanted)
        chain = judge_session(t, ssl, &report);
    t->unread = !chain;
    if (t->unread) {
        t->why = report.why ? report.why : belfry_print(t->p, "%s shows no certificate", t->name);
        t->unreachable = report.end == TLS_UNREACHABLE;
        t->state = report.end == TLS_MISUSED ? BELFRY_UNKNOWN : BELFRY_CRITICAL;
    }
    if (error == 0)
        best = SSL_version(ssl);
    stream_close(&s);
    if (chain)
        ssl_ask_revocation(t, chain);
    sk_X509_pop_free(chain, X509_free);
    /* MySQL blocks a host after max_connect_errors (100) connections in a row that end before the login: spare some */
    bool counted = strcmp(belfry_text(t->p, "starttls"), "mysql") == 0;
    if (error == 0 && belfry_flag(t->p, "try_weak") && !counted)
        try_weak(t, best);
}
