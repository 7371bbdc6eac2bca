/* SPDX-License-Identifier: GPL-3.0-or-later */
/* staple - judges the OCSP response that a server sent along with its certificate (RFC 6066, 6960): is it well signed,
 * in time, about this certificate, and does it call it good? A certificate that demands a staple (RFC 7633, "must
 * staple") and a server that has none, or none that counts, do not work in a browser. */
#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "plugins/ssl/ssl.h"

#define STATUS_REQUEST 5 /* of TLS's extensions; 17 is the one for several certificates (RFC 6961) */
#define STATUS_REQUEST_V2 17

struct ssl_opinion ssl_revoked(struct belfry_probe *p, const ASN1_TIME *when, int reason)
{
    char since[32] = "a time that is none";
    struct tm tm;
    if (when && ASN1_TIME_to_tm(when, &tm) == 1)
        strftime(since, sizeof since, "%Y-%m-%d %H:%M UTC", &tm);
    return (struct ssl_opinion){ SSL_REVOKED,
                                 belfry_print(p, "is revoked since %s (%s)", since,
                                              reason >= 0 ? OCSP_crl_reason_str(reason) : "no reason given"),
                                 NULL };
}

static bool must_staple(X509 *leaf)
{
    TLS_FEATURE *features = X509_get_ext_d2i(leaf, NID_tlsfeature, NULL, NULL);
    bool found = false;
    for (int i = 0; features && i < sk_ASN1_INTEGER_num(features); i++) {
        long feature = ASN1_INTEGER_get(sk_ASN1_INTEGER_value(features, i));
        found = found || feature == STATUS_REQUEST || feature == STATUS_REQUEST_V2;
    }
    TLS_FEATURE_free(features);
    return found;
}

static void judge_response(struct ssl_target *t, STACK_OF(X509) * chain, const struct tls_report *report)
{
    X509 *leaf = sk_X509_value(chain, 0);
    if (sk_X509_num(chain) < 2) {
        ssl_note(t, "the stapled OCSP response can't be judged: the issuer's certificate is missing");
        return;
    }
    struct ssl_opinion opinion = ssl_ocsp_read(t->p, report->ocsp, report->ocsp_size, leaf, sk_X509_value(chain, 1));
    t->stapled = opinion.word == SSL_GOOD;
    if (opinion.word == SSL_REVOKED)
        ssl_find(t, BELFRY_CRITICAL, "%s, says the stapled OCSP response", opinion.text);
    else if (opinion.word == SSL_GOOD)
        ssl_note(t, "the stapled OCSP response says: good");
    else
        ssl_find(t, opinion.word == SSL_FORGED || must_staple(leaf) ? BELFRY_CRITICAL : BELFRY_WARNING,
                 "the stapled OCSP response %s", opinion.text);
}

void ssl_judge_staple(struct ssl_target *t, STACK_OF(X509) * chain, const struct tls_report *report)
{
    const char *wish = belfry_text(t->p, "staple");
    if (strcmp(wish, "ignore") == 0)
        return;
    if (report->ocsp)
        judge_response(t, chain, report);
    else if (must_staple(sk_X509_value(chain, 0)))
        ssl_find(t, BELFRY_CRITICAL, "demands a stapled OCSP response, and the server has none");
    else if (strcmp(wish, "require") == 0)
        ssl_find(t, BELFRY_CRITICAL, "no OCSP response is stapled");
    ERR_clear_error();
}
