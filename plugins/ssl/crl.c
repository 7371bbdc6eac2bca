/* SPDX-License-Identifier: GPL-3.0-or-later */
/* crl - what a revocation list says of a certificate (RFC 5280), and fetching it from where the certificate says.
 *
 * OpenSSL verifies the list as part of a chain that begins at the issuer: its signature, its time, that the issuer may
 * sign lists, and that it is the list for this certificate (authorities cut theirs into many, and one that is meant for
 * others says nothing about this one). A list without nextUpdate could be any old one and counts for nothing.
 */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "plugins/ssl/ssl.h"

#define LIST_MAX ((size_t)8 * 1024 * 1024)

/* What can be wrong with a list. What is not here does not concern the list. */
static const struct {
    int code;
    const char *text;
} faults[] = {
    { X509_V_ERR_UNABLE_TO_GET_CRL, "is not the issuer's, or not the one for this certificate" },
    { X509_V_ERR_UNABLE_TO_GET_CRL_ISSUER, "is not the issuer's" },
    { X509_V_ERR_DIFFERENT_CRL_SCOPE, "is not the one for this certificate" },
    { X509_V_ERR_CRL_PATH_VALIDATION_ERROR, "is not the issuer's" },
    { X509_V_ERR_CRL_SIGNATURE_FAILURE, "has a wrong signature" },
    { X509_V_ERR_UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY, "has a signature that can't be verified" },
    { X509_V_ERR_KEYUSAGE_NO_CRL_SIGN, "is signed by who may not sign lists" },
    { X509_V_ERR_CRL_NOT_YET_VALID, "is not yet valid" },
    { X509_V_ERR_CRL_HAS_EXPIRED, "is out of date" },
    { X509_V_ERR_ERROR_IN_CRL_LAST_UPDATE_FIELD, "has a date that is none" },
    { X509_V_ERR_ERROR_IN_CRL_NEXT_UPDATE_FIELD, "has a date that is none" },
    { X509_V_ERR_INVALID_EXTENSION, "has an extension that is broken" },
    { X509_V_ERR_UNHANDLED_CRITICAL_CRL_EXTENSION, "has a critical extension that is not known here" },
};

static int on_verify(int good, X509_STORE_CTX *context)
{
    const char **fault = X509_STORE_CTX_get_app_data(context);
    for (size_t i = 0; !good && !*fault && i < sizeof faults / sizeof faults[0]; i++)
        if (faults[i].code == X509_STORE_CTX_get_error(context))
            *fault = faults[i].text;
    return 1;
}

/* What is wrong with the list, or NULL. */
static const char *verify(X509_CRL *list, X509 *cert, X509 *issuer)
{
    const char *fault = NULL;
    X509_STORE *only = X509_STORE_new();
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    STACK_OF(X509_CRL) *lists = sk_X509_CRL_new_null();
    bool done = only && context && lists && sk_X509_CRL_push(lists, list) > 0 &&
                X509_STORE_add_cert(only, issuer) == 1 && X509_STORE_CTX_init(context, only, cert, NULL) == 1;
    if (done) {
        X509_STORE_CTX_set_app_data(context, &fault);
        X509_STORE_CTX_set_verify_cb(context, on_verify);
        X509_STORE_CTX_set_flags(context, X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_CRL_CHECK);
        X509_STORE_CTX_set0_crls(context, lists);
        done = X509_verify_cert(context) >= 0;
    }
    sk_X509_CRL_free(lists);
    X509_STORE_CTX_free(context);
    X509_STORE_free(only);
    return done ? fault : "can't be verified";
}

static int reason_of(X509_REVOKED *entry)
{
    ASN1_ENUMERATED *reason = X509_REVOKED_get_ext_d2i(entry, NID_crl_reason, NULL, NULL);
    int out = reason ? (int)ASN1_ENUMERATED_get(reason) : -1;
    ASN1_ENUMERATED_free(reason);
    return out;
}

static struct ssl_opinion weigh(struct belfry_probe *p, X509_CRL *list, X509 *cert, X509 *issuer)
{
    X509_REVOKED *entry = NULL;
    const char *fault = verify(list, cert, issuer);
    if (!fault && !X509_CRL_get0_nextUpdate(list))
        fault = "does not say how long it counts";
    if (fault)
        return (struct ssl_opinion){ SSL_UNTOLD, fault, NULL };
    if (X509_CRL_get0_by_cert(list, &entry, cert) == 1)
        return ssl_revoked(p, X509_REVOKED_get0_revocationDate(entry), reason_of(entry));
    return (struct ssl_opinion){ SSL_GOOD, NULL, NULL };
}

/* DER as the standard says, or PEM as many give it. */
static X509_CRL *parse(const char *bytes, size_t size)
{
    const unsigned char *der = (const unsigned char *)bytes;
    X509_CRL *list = size > 0 && der[0] == 0x30 ? d2i_X509_CRL(NULL, &der, (long)size) : NULL;
    BIO *bio = !list && size > 0 ? BIO_new_mem_buf(bytes, (int)size) : NULL;
    if (bio)
        list = PEM_read_bio_X509_CRL(bio, NULL, NULL, "") /* the password: else OpenSSL asks the terminal */;
    BIO_free(bio);
    return list;
}

struct ssl_opinion ssl_crl_ask(struct ssl_target *t, const char *url, X509 *cert, X509 *issuer)
{
    struct ssl_errand errand = { .url = url, .most = LIST_MAX };
    struct ssl_answer answer;
    struct ssl_opinion opinion = { SSL_UNTOLD, "is no revocation list", NULL };
    if (!ssl_fetch(t, &errand, &answer)) {
        opinion.text = answer.why;
        return opinion;
    }
    ERR_clear_error();
    X509_CRL *list = parse(answer.body, answer.size);
    if (list)
        opinion = weigh(t->p, list, cert, issuer);
    if (opinion.word == SSL_UNTOLD)
        opinion.text = belfry_print(t->p, "the list of %s %s", answer.name, opinion.text);
    opinion.by = belfry_print(t->p, "the list of %s", answer.name);
    X509_CRL_free(list);
    ssl_answer_free(&answer);
    ERR_clear_error();
    return opinion;
}
