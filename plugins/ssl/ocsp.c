/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ocsp - what an OCSP response says of a certificate (RFC 6960), and asking for one.
 *
 * A response counts when it is signed by the issuer itself or by a responder whose certificate the issuer signed for
 * that purpose (EKU OCSPSigning), is about this certificate of this issuer, and is in time. Trust begins at the issuer:
 * what else is trusted here does not matter. No nonce is sent: public responders answer with what they signed before,
 * and nextUpdate bounds how long an answer can be replayed (RFC 5019). One without nextUpdate counts for a day.
 *
 * Asked by GET, which caches like, when the request is short enough (255 bytes, appendix A.1), else or when the
 * responder does not like that by POST.
 */
#include <curl/curl.h>
#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "plugins/ssl/ssl.h"

#define CLOCK_SLACK_S 300
#define UNBOUNDED_S 86400 /* how long an answer without nextUpdate counts */
#define GET_MAX 255
#define RESPONSE_MAX ((size_t)64 * 1024)

/* ---- reading ------------------------------------------------------------------------------------------------- */

static struct ssl_opinion untold(const char *text)
{
    return (struct ssl_opinion){ SSL_UNTOLD, text, NULL };
}

/* What a response says of one certificate. */
struct word {
    int status, reason; /* V_OCSP_CERTSTATUS_...; -1: nothing about it */
    ASN1_GENERALIZEDTIME *from, *until, *revoked;
};

static void find_word(OCSP_BASICRESP *response, X509 *cert, X509 *issuer, struct word *out)
{
    const EVP_MD *digests[] = { EVP_sha1(), EVP_sha256() };
    int found = 0;
    *out = (struct word){ .status = -1, .reason = -1 };
    for (size_t i = 0; found != 1 && i < sizeof digests / sizeof digests[0]; i++) {
        OCSP_CERTID *id = OCSP_cert_to_id(digests[i], cert, issuer);
        found =
            id ? OCSP_resp_find_status(response, id, &out->status, &out->reason, &out->revoked, &out->from, &out->until)
               : 0;
        OCSP_CERTID_free(id);
    }
    if (found != 1)
        out->status = -1;
}

/* Signed by the issuer or who it delegated; else why not. */
static const char *verify(struct belfry_probe *p, OCSP_BASICRESP *response, X509 *issuer)
{
    X509_STORE *only = X509_STORE_new();
    STACK_OF(X509) *others = sk_X509_new_null();
    int good = -1;
    ERR_clear_error();
    if (only && others && X509_STORE_add_cert(only, issuer) == 1 && sk_X509_push(others, issuer) > 0) {
        X509_STORE_set_flags(only, X509_V_FLAG_PARTIAL_CHAIN);
        good = OCSP_basic_verify(response, others, only, OCSP_NOEXPLICIT);
    }
    const char *reason = good == 1 ? NULL : ERR_reason_error_string(ERR_peek_error());
    sk_X509_free(others);
    X509_STORE_free(only);
    ERR_clear_error();
    return good == 1 ? NULL : belfry_print(p, "is not signed by the issuer (%s)", reason ? reason : "no memory");
}

static struct ssl_opinion weigh(struct belfry_probe *p, OCSP_BASICRESP *response, X509 *cert, X509 *issuer)
{
    struct word word;
    const char *why = verify(p, response, issuer);
    if (why)
        return (struct ssl_opinion){ SSL_FORGED, why, NULL };
    find_word(response, cert, issuer, &word);
    if (word.status == -1)
        return untold("is about another certificate");
    if (OCSP_check_validity(word.from, word.until, CLOCK_SLACK_S, word.until ? -1 : UNBOUNDED_S) != 1)
        return untold(ERR_GET_REASON(ERR_peek_error()) == OCSP_R_STATUS_NOT_YET_VALID ? "is not yet valid"
                                                                                      : "is out of date");
    if (word.status == V_OCSP_CERTSTATUS_REVOKED)
        return ssl_revoked(p, word.revoked, word.reason);
    if (word.status != V_OCSP_CERTSTATUS_GOOD)
        return untold("says that the issuer doesn't know this certificate");
    return (struct ssl_opinion){ SSL_GOOD, NULL, NULL };
}

struct ssl_opinion ssl_ocsp_read(struct belfry_probe *p, const unsigned char *der, size_t size, X509 *cert,
                                 X509 *issuer)
{
    const unsigned char *at = der;
    OCSP_RESPONSE *response = d2i_OCSP_RESPONSE(NULL, &at, (long)size);
    int status = response ? OCSP_response_status(response) : -1;
    OCSP_BASICRESP *basic = status == OCSP_RESPONSE_STATUS_SUCCESSFUL ? OCSP_response_get1_basic(response) : NULL;
    struct ssl_opinion opinion;
    if (basic)
        opinion = weigh(p, basic, cert, issuer);
    else if (response)
        opinion = untold(belfry_print(p, "is no answer: %s", OCSP_response_status_str(status)));
    else
        opinion = untold("is no answer: garbage");
    OCSP_BASICRESP_free(basic);
    OCSP_RESPONSE_free(response);
    ERR_clear_error();
    return opinion;
}

/* ---- asking -------------------------------------------------------------------------------------------------- */

/* The request in DER, to be freed with OPENSSL_free(); its length, or -1. */
static int make_request(X509 *cert, X509 *issuer, unsigned char **der)
{
    OCSP_REQUEST *request = OCSP_REQUEST_new();
    OCSP_CERTID *id = request ? OCSP_cert_to_id(EVP_sha1(), cert, issuer) : NULL; /* the one digest all must know */
    int size = -1;
    *der = NULL;
    if (id && OCSP_request_add0_id(request, id))
        size = i2d_OCSP_REQUEST(request, der);
    else
        OCSP_CERTID_free(id);
    OCSP_REQUEST_free(request);
    return size;
}

/* The address to GET, or NULL when it would be too long. */
static const char *get_address(struct belfry_probe *p, const char *url, const unsigned char *der, int size)
{
    unsigned char base64[GET_MAX + 5];
    if (size > GET_MAX / 4 * 3)
        return NULL;
    EVP_EncodeBlock(base64, der, size);
    char *escaped = curl_easy_escape(NULL, (const char *)base64, 0);
    size_t length = strlen(url);
    const char *out = NULL;
    if (escaped && strlen(escaped) < GET_MAX)
        out = belfry_print(p, "%s%s%s", url, length > 0 && url[length - 1] == '/' ? "" : "/", escaped);
    curl_free(escaped);
    return out;
}

/* Asks once; false when it is worth asking in another way. */
static bool ask(struct ssl_target *t, const struct ssl_errand *errand, X509 *cert, X509 *issuer,
                struct ssl_opinion *opinion)
{
    struct ssl_answer answer;
    if (!ssl_fetch(t, errand, &answer)) {
        *opinion = untold(answer.why);
        return answer.status == 0; /* not a word: another way is no better */
    }
    *opinion = ssl_ocsp_read(t->p, (const unsigned char *)answer.body, answer.size, cert, issuer);
    if (opinion->word != SSL_GOOD && opinion->word != SSL_REVOKED)
        opinion->text = belfry_print(t->p, "the answer of %s %s", answer.name, opinion->text);
    else
        opinion->by = belfry_print(t->p, "%s by OCSP", answer.name);
    ssl_answer_free(&answer);
    return true;
}

struct ssl_opinion ssl_ocsp_ask(struct ssl_target *t, const char *url, X509 *cert, X509 *issuer)
{
    unsigned char *der = NULL;
    struct ssl_opinion opinion = untold("no memory for an OCSP request");
    int size = make_request(cert, issuer, &der);
    if (size > 0) {
        struct ssl_errand post = { .url = url, .most = RESPONSE_MAX, .body = der, .body_size = (size_t)size };
        struct ssl_errand get = { .url = get_address(t->p, url, der, size), .name = url, .most = RESPONSE_MAX };
        if (!get.url || !ask(t, &get, cert, issuer, &opinion))
            ask(t, &post, cert, issuer, &opinion);
    }
    OPENSSL_free(der);
    ERR_clear_error();
    return opinion;
}
