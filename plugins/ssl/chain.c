/* SPDX-License-Identifier: GPL-3.0-or-later */
/* chain - judges a certificate with those that came with it.
 *
 * OpenSSL builds and verifies the chain and tells every fault on the way; faults[] says in words what they mean. Dates
 * and the host's name are judged here, since they are judged for files too, which nobody verifies. The chain that
 * counts is the one that was built: an expired certificate that a server sends on top, and nobody needs, is a note.
 */
#include <arpa/inet.h>
#include <math.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "plugins/common/say.h"
#include "plugins/ssl/ssl.h"

#define NAMES_SHOWN 4
#define SHORT_LIFE_DAYS 80 /* issued for less: judged by the share that is left */

const char *ssl_days(struct belfry_probe *p, double days)
{
    return fabs(days) < 3 ? belfry_print(p, "%.0f h", days * 24) : belfry_print(p, "%.0f days", floor(days));
}

/* ---- names --------------------------------------------------------------------------------------------------- */

/* The common name, or the organisation where there is none. */
static const char *name_of(struct belfry_probe *p, const X509_NAME *name)
{
    static const int fields[] = { NID_commonName, NID_organizationalUnitName, NID_organizationName };
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        int at = X509_NAME_get_index_by_NID(name, fields[i], -1);
        unsigned char *text = NULL;
        int length = at < 0 ? -1 : ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
        const char *out = length > 0 ? say_excerpt(p, text, (size_t)length) : NULL;
        OPENSSL_free(text);
        if (out)
            return out;
    }
    return "?";
}

const char *ssl_name(struct belfry_probe *p, X509 *cert)
{
    return name_of(p, X509_get_subject_name(cert));
}

static const char *say_name(struct belfry_probe *p, const GENERAL_NAME *name)
{
    char text[INET6_ADDRSTRLEN];
    const ASN1_STRING *value = name->d.ia5;
    if (name->type == GEN_DNS)
        return say_excerpt(p, ASN1_STRING_get0_data(value), (size_t)ASN1_STRING_length(value));
    if (name->type == GEN_IPADD && (value->length == 4 || value->length == 16) &&
        inet_ntop(value->length == 4 ? AF_INET : AF_INET6, value->data, text, sizeof text))
        return belfry_print(p, "%s", text);
    return NULL;
}

/* "a.example, b.example and 3 more", or NULL when there is no alternative name. */
static const char *list_names(struct belfry_probe *p, const X509 *cert)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    const char *out = NULL;
    int shown = 0, count = names ? sk_GENERAL_NAME_num(names) : 0;
    for (int i = 0; i < count && shown < NAMES_SHOWN; i++) {
        const char *name = say_name(p, sk_GENERAL_NAME_value(names, i));
        if (name && ++shown)
            out = belfry_print(p, "%s%s%s", out ? out : "", out ? ", " : "", name);
    }
    GENERAL_NAMES_free(names);
    return out && shown < count ? belfry_print(p, "%s and %d more", out, count - shown) : out;
}

static void judge_name(struct ssl_target *t, X509 *leaf)
{
    struct in6_addr address;
    const char *names = list_names(t->p, leaf);
    if (!t->want)
        return;
    bool is_address = inet_pton(AF_INET, t->want, &address) == 1 || inet_pton(AF_INET6, t->want, &address) == 1;
    unsigned flags = X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT;
    int match = is_address ? X509_check_ip_asc(leaf, t->want, flags) : X509_check_host(leaf, t->want, 0, flags, NULL);
    if (match == 1)
        return;
    if (names)
        ssl_find(t, BELFRY_CRITICAL, "is for %s, not for '%s'", names, t->want);
    else
        ssl_find(t, BELFRY_CRITICAL, "has no alternative name (its common name '%s' counts no more)",
                 name_of(t->p, X509_get_subject_name(leaf)));
}

/* ---- time and strength --------------------------------------------------------------------------------------- */

/* Days from now; NaN for a time that is none. */
static double days_until(const ASN1_TIME *when)
{
    int days, seconds;
    return ASN1_TIME_diff(&days, &seconds, NULL, when) == 1 ? days + seconds / 86400.0 : NAN;
}

static const char *key_name(struct belfry_probe *p, const EVP_PKEY *key)
{
    char group[64] = "";
    if (!key)
        return "unknown";
    if (EVP_PKEY_get_base_id(key) == EVP_PKEY_EC)
        EVP_PKEY_get_group_name(key, group, sizeof group, NULL);
    if (group[0])
        return strcmp(group, "prime256v1") == 0 ? "EC P-256" : belfry_print(p, "EC %s", group);
    const char *type = EVP_PKEY_get0_type_name(key);
    return strncmp(type ? type : "?", "ED", 2) == 0
               ? type
               : belfry_print(p, "%s-%d", type ? type : "key", EVP_PKEY_get_bits(key));
}

static void note_strength(struct ssl_target *t, double bits, const char *what)
{
    if (bits > 0 && (isnan(t->security_bits) || bits < t->security_bits)) {
        t->security_bits = bits;
        t->weakest = what;
    }
}

static void judge_strength(struct ssl_target *t, X509 *cert, const char *name)
{
    const EVP_PKEY *key = X509_get0_pubkey(cert);
    int digest = 0, bits = 0;
    if (key)
        note_strength(t, EVP_PKEY_get_security_bits(key),
                      belfry_print(t->p, "%s key of '%s'", key_name(t->p, key), name));
    else
        ssl_find(t, BELFRY_WARNING, "the key of '%s' is of an unknown kind", name);
    /* who signed itself is trusted for being known, not for its signature */
    if (X509_self_signed(cert, 0) != 1 && X509_get_signature_info(cert, &digest, NULL, &bits, NULL) == 1)
        note_strength(t, bits, belfry_print(t->p, "%s signature of '%s'", digest ? OBJ_nid2ln(digest) : "the", name));
}

static void judge_time(struct ssl_target *t, const struct ssl_cert *cert, double begins, bool leaf)
{
    const char *who = leaf ? "" : belfry_print(t->p, "the certificate of '%s' ", cert->name);
    if (isnan(cert->days_left) || isnan(begins))
        ssl_find(t, BELFRY_CRITICAL, "%shas a date that is none", who);
    else if (cert->days_left < 0)
        ssl_find(t, BELFRY_CRITICAL, "%sexpired %s ago", who, ssl_days(t->p, -cert->days_left));
    else if (begins > 0)
        ssl_find(t, BELFRY_CRITICAL, "%sis not yet valid: it begins in %s", who, ssl_days(t->p, begins));
}

static bool judge_by_share(struct belfry_probe *p, double lifetime_days)
{
    const char *by = belfry_text(p, "judge_by");
    return strcmp(by, "auto") == 0 ? lifetime_days < SHORT_LIFE_DAYS : strcmp(by, "lifetime") == 0;
}

/* Adds a certificate to the chain that counts. */
static void add(struct ssl_target *t, X509 *x)
{
    if (t->chain_length == SSL_CHAIN_MAX)
        return;
    struct ssl_cert *cert = &t->chain[t->chain_length++];
    bool leaf = t->chain_length == 1;
    double begins = days_until(X509_get0_notBefore(x));
    cert->name = name_of(t->p, X509_get_subject_name(x));
    if (leaf && strcmp(cert->name, "?") == 0)
        cert->name = list_names(t->p, x) ? list_names(t->p, x) : "?";
    cert->days_left = days_until(X509_get0_notAfter(x));
    cert->lifetime_days = cert->days_left - begins;
    cert->lifetime_share =
        cert->lifetime_days > 0 ? fmax(0, fmin(100, cert->days_left * 100 / cert->lifetime_days)) : NAN;
    cert->by_share = judge_by_share(t->p, cert->lifetime_days);
    judge_time(t, cert, begins, leaf);
    judge_strength(t, x, cert->name);
    if (leaf)
        t->key = key_name(t->p, X509_get0_pubkey(x));
}

/* ---- trust --------------------------------------------------------------------------------------------------- */

/* What a fault of the verification means; UNKNOWN: whether it is revoked can't be told. The name is the certificate's
 * own, or its issuer's. */
static const struct fault {
    int code;
    enum belfry_state state;
    bool issuer;
    const char *text; /* NULL: judged elsewhere, or told by another fault */
} faults[] = {
    { X509_V_ERR_CERT_HAS_EXPIRED, BELFRY_OK, false, NULL },
    { X509_V_ERR_CERT_NOT_YET_VALID, BELFRY_OK, false, NULL },
    { X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, BELFRY_OK, false, NULL },
    { X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, BELFRY_CRITICAL, false, "is self-signed" },
    { X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, BELFRY_CRITICAL, false,
      "is of the authority '%s', which is not trusted here (a private one: give its certificate in ca_file)" },
    { X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, BELFRY_CRITICAL, true,
      "the chain is incomplete: the certificate of '%s' is neither sent nor trusted here" },
    { X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, BELFRY_CRITICAL, true,
      "the chain is incomplete: '%s' is not trusted here" },
    { X509_V_ERR_CERT_SIGNATURE_FAILURE, BELFRY_CRITICAL, false, "the signature of '%s' is wrong" },
    { X509_V_ERR_INVALID_PURPOSE, BELFRY_CRITICAL, false, "'%s' is not meant for this purpose (a TLS server's chain)" },
    { X509_V_ERR_INVALID_CA, BELFRY_CRITICAL, false, "'%s' signs, but is no authority" },
    { X509_V_ERR_PATH_LENGTH_EXCEEDED, BELFRY_CRITICAL, false, "more authorities below '%s' than it allows" },
    { X509_V_ERR_PERMITTED_VIOLATION, BELFRY_CRITICAL, false, "'%s' is outside the names its authority may sign for" },
    { X509_V_ERR_EXCLUDED_VIOLATION, BELFRY_CRITICAL, false, "'%s' has a name its authority may not sign for" },
    { X509_V_ERR_CERT_REVOKED, BELFRY_CRITICAL, false, "'%s' is revoked" },
    { X509_V_ERR_UNABLE_TO_GET_CRL, BELFRY_UNKNOWN, true, "crl_file has no list of '%s'" },
    { X509_V_ERR_CRL_HAS_EXPIRED, BELFRY_UNKNOWN, true, "the list of '%s' in crl_file is out of date" },
    { X509_V_ERR_CRL_NOT_YET_VALID, BELFRY_UNKNOWN, true, "the list of '%s' in crl_file is not yet valid" },
    { X509_V_ERR_CRL_SIGNATURE_FAILURE, BELFRY_UNKNOWN, true, "the list of '%s' in crl_file has a wrong signature" },
    { X509_V_ERR_KEYUSAGE_NO_CRL_SIGN, BELFRY_UNKNOWN, true, "'%s' may not sign the list in crl_file" },
};

static void tell(struct ssl_target *t, const struct fault *fault, const X509 *at)
{
    const char *name = !at             ? "?"
                       : fault->issuer ? name_of(t->p, X509_get_issuer_name(at))
                                       : name_of(t->p, X509_get_subject_name(at));
    if (fault->state == BELFRY_UNKNOWN)
        ssl_unsure(t, "it", belfry_print(t->p, fault->text, name));
    else if (fault->text)
        ssl_find(t, fault->state, fault->text, name);
    t->distrusted = t->distrusted || fault->state != BELFRY_UNKNOWN;
}

static void tell_fault(struct ssl_target *t, X509_STORE_CTX *context, int code)
{
    const X509 *at = X509_STORE_CTX_get_current_cert(context);
    if (code == X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT && belfry_flag(t->p, "self_signed"))
        return;
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        if (faults[i].code != code)
            continue;
        tell(t, &faults[i], at);
        return;
    }
    t->distrusted = true;
    ssl_find(t, BELFRY_CRITICAL, "%s", X509_verify_cert_error_string(code));
}

static int on_verify(int good, X509_STORE_CTX *context)
{
    struct ssl_target *t = X509_STORE_CTX_get_app_data(context);
    if (!good)
        tell_fault(t, context, X509_STORE_CTX_get_error(context));
    return 1; /* and see what else there is */
}

/* The chain that OpenSSL built, or NULL when it could not even begin. */
static STACK_OF(X509) * verify(struct ssl_target *t, X509 *leaf, STACK_OF(X509) * sent)
{
    STACK_OF(X509) *chain = NULL;
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    if (context && X509_STORE_CTX_init(context, t->trust, leaf, sent) == 1) {
        X509_STORE_CTX_set_app_data(context, t);
        X509_STORE_CTX_set_verify_cb(context, on_verify);
        X509_STORE_CTX_set_purpose(context, X509_PURPOSE_SSL_SERVER);
        if (belfry_has(t->p, "crl_file"))
            X509_STORE_CTX_set_flags(context, X509_V_FLAG_CRL_CHECK);
        if (X509_verify_cert(context) < 0)
            ssl_find(t, BELFRY_CRITICAL, "can't be verified: %s",
                     X509_verify_cert_error_string(X509_STORE_CTX_get_error(context)));
        chain = X509_STORE_CTX_get1_chain(context);
    }
    X509_STORE_CTX_free(context);
    ERR_clear_error();
    return chain;
}

/* Certificates that were sent and are not needed: notes when they are out of date. */
static void note_others(struct ssl_target *t, STACK_OF(X509) * sent, STACK_OF(X509) * chain)
{
    for (int i = 1; sent && i < sk_X509_num(sent) && i < SSL_CHAIN_MAX; i++) {
        X509 *x = sk_X509_value(sent, i);
        bool used = false;
        for (int j = 0; j < sk_X509_num(chain); j++)
            used = used || X509_cmp(x, sk_X509_value(chain, j)) == 0;
        double days = days_until(X509_get0_notAfter(x));
        if (!used)
            ssl_note(t, "also sent, but not needed: '%s'%s", name_of(t->p, X509_get_subject_name(x)),
                     days < 0 ? ", which has expired" : "");
    }
}

STACK_OF(X509) * ssl_judge_chain(struct ssl_target *t, X509 *leaf, STACK_OF(X509) * sent)
{
    STACK_OF(X509) *chain = t->trust ? verify(t, leaf, sent) : X509_chain_up_ref(sent);
    for (int i = 0; chain && i < sk_X509_num(chain); i++)
        add(t, sk_X509_value(chain, i));
    judge_name(t, leaf);
    if (chain && t->trust)
        note_others(t, sent, chain);
    ERR_clear_error();
    return chain;
}
