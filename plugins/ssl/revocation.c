/* SPDX-License-Identifier: GPL-3.0-or-later */
/* revocation - asks whether the certificates of a chain are revoked: OCSP responders, then lists, at the addresses that
 * the certificate names. Public authorities drop OCSP, and some certificates have lists only.
 *
 * The first sure answer counts. Where there is none, the staple does; where there is none either, it is unknown, which
 * is as bad as `revocation_unknown` says and never OK. Nothing is asked about a chain that is not trusted: its
 * addresses could be anybody's, and it is CRITICAL anyway. Each question has at most half of the time that is left, so
 * that one that is silent leaves time for the next.
 */
#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "plugins/common/now.h"
#include "plugins/common/say.h"
#include "plugins/common/transfer.h"
#include "plugins/ssl/ssl.h"

#define URL_MAX_BYTES 1000
#define URLS_MAX 2 /* of one kind that are asked */

/* ---- one request --------------------------------------------------------------------------------------------- */

static void set_errand(struct transfer *t, const struct ssl_errand *errand, struct curl_slist **headers, double until)
{
    double now = now_s();
    t->keep_body = true;
    t->body_most = errand->most;
    curl_easy_setopt(t->easy, CURLOPT_USERAGENT, "belfry");
    curl_easy_setopt(t->easy, CURLOPT_TIMEOUT_MS, until > now ? (long)((until - now) * 1000) + 1 : 1L);
    if (!errand->body)
        return;
    transfer_append(headers, "Content-Type: application/ocsp-request");
    transfer_append(headers, "Expect:");
    curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, *headers);
    curl_easy_setopt(t->easy, CURLOPT_POSTFIELDSIZE, (long)errand->body_size);
    curl_easy_setopt(t->easy, CURLOPT_POSTFIELDS, errand->body);
}

/* When this question must be done. */
static double until_of(const struct ssl_target *t)
{
    double now = now_s(), left = (double)belfry_left_ms(t->p) / 1000;
    if (t->until > 0 && t->until - now < left)
        left = t->until - now;
    return now + left / 2;
}

static void read_answer(struct belfry_probe *p, struct transfer *t, const struct ssl_errand *errand,
                        struct ssl_answer *out)
{
    out->status = t->end == WEB_ANSWERED ? t->status : 0;
    if (t->end != WEB_ANSWERED)
        out->why = t->why;
    else if (t->status != 200)
        out->why =
            belfry_print(p, "%s answers with status %ld%s", out->name, t->status, t->redirect ? ", a redirect" : "");
    else if (t->cut)
        out->why = belfry_print(p, "%s answers with more than %s", out->name, say_bytes(p, (double)errand->most));
    else if (t->body_kept == 0)
        out->why = belfry_print(p, "%s answers with nothing", out->name);
    if (out->why)
        return;
    out->body = t->body;
    out->size = t->body_kept;
    t->body = NULL;
}

bool ssl_fetch(struct ssl_target *t, const struct ssl_errand *errand, struct ssl_answer *out)
{
    struct pump pump;
    struct transfer transfer;
    struct curl_slist *headers = NULL;
    const char *name = errand->name ? errand->name : errand->url;
    *out = (struct ssl_answer){ .name = say_excerpt(t->p, name, strlen(name)) };
    if (!pump_open(&pump, t->p)) {
        out->why = "libcurl has no memory";
        return false;
    }
    if (transfer_open(&transfer, t->p, errand->url)) {
        double until = until_of(t);
        transfer_trust(&transfer, NULL, true);
        if (transfer_aim(&transfer, AF_UNSPEC, NULL)) {
            set_errand(&transfer, errand, &headers, until);
            pump_run(&pump, &transfer);
        }
    }
    read_answer(t->p, &transfer, errand, out);
    transfer_close(&transfer);
    pump_close(&pump);
    curl_slist_free_all(headers);
    return !out->why;
}

void ssl_answer_free(struct ssl_answer *answer)
{
    free(answer->body);
    answer->body = NULL;
}

/* ---- where to ask -------------------------------------------------------------------------------------------- */

struct urls {
    const char *list[URLS_MAX];
    size_t count;
};

/* Others than http (ldap) are passed over. */
static void add_url(struct belfry_probe *p, struct urls *urls, const ASN1_STRING *text)
{
    const char *bytes = (const char *)ASN1_STRING_get0_data(text);
    size_t size = (size_t)ASN1_STRING_length(text);
    bool web = size > 8 && (strncasecmp(bytes, "http://", 7) == 0 || strncasecmp(bytes, "https://", 8) == 0);
    if (!web || size > URL_MAX_BYTES || urls->count == URLS_MAX)
        return;
    for (size_t i = 0; i < size; i++)
        if (bytes[i] <= ' ' || bytes[i] > '~')
            return;
    urls->list[urls->count++] = say_copy(p, bytes, size);
}

static void find_responders(struct belfry_probe *p, X509 *cert, struct urls *urls)
{
    AUTHORITY_INFO_ACCESS *all = X509_get_ext_d2i(cert, NID_info_access, NULL, NULL);
    for (int i = 0; all && i < sk_ACCESS_DESCRIPTION_num(all); i++) {
        const ACCESS_DESCRIPTION *one = sk_ACCESS_DESCRIPTION_value(all, i);
        if (OBJ_obj2nid(one->method) == NID_ad_OCSP && one->location->type == GEN_URI)
            add_url(p, urls, one->location->d.uniformResourceIdentifier);
    }
    AUTHORITY_INFO_ACCESS_free(all);
}

/* Lists of somebody else than the issuer, and lists for some reasons only, are passed over. */
static void find_lists(struct belfry_probe *p, X509 *cert, struct urls *urls)
{
    CRL_DIST_POINTS *all = X509_get_ext_d2i(cert, NID_crl_distribution_points, NULL, NULL);
    for (int i = 0; all && i < sk_DIST_POINT_num(all); i++) {
        const DIST_POINT *one = sk_DIST_POINT_value(all, i);
        if (one->CRLissuer || one->reasons || !one->distpoint || one->distpoint->type != 0)
            continue;
        const GENERAL_NAMES *names = one->distpoint->name.fullname;
        for (int j = 0; j < sk_GENERAL_NAME_num(names); j++)
            if (sk_GENERAL_NAME_value(names, j)->type == GEN_URI)
                add_url(p, urls, sk_GENERAL_NAME_value(names, j)->d.uniformResourceIdentifier);
    }
    CRL_DIST_POINTS_free(all);
}

static const struct source {
    const char *name, *lacking;
    void (*find)(struct belfry_probe *p, X509 *cert, struct urls *urls);
    struct ssl_opinion (*ask)(struct ssl_target *t, const char *url, X509 *cert, X509 *issuer);
} sources[] = {
    { "ocsp", "it names no OCSP responder", find_responders, ssl_ocsp_ask },
    { "crl", "it names no revocation list", find_lists, ssl_crl_ask },
};

/* ---- asking -------------------------------------------------------------------------------------------------- */

static bool is_sure(const struct ssl_opinion *opinion)
{
    return opinion->word == SSL_GOOD || opinion->word == SSL_REVOKED;
}

static struct ssl_opinion ask_source(struct ssl_target *t, const struct source *source, X509 *cert, X509 *issuer)
{
    struct urls urls = { .count = 0 };
    struct ssl_opinion opinion = { SSL_UNTOLD, source->lacking, NULL };
    source->find(t->p, cert, &urls);
    for (size_t i = 0; i < urls.count && !is_sure(&opinion); i++) {
        struct ssl_opinion one = source->ask(t, urls.list[i], cert, issuer);
        if (!is_sure(&one) && i > 0)
            one.text = belfry_print(t->p, "%s; %s", opinion.text, one.text);
        opinion = one;
    }
    return opinion;
}

/* The first sure answer, or all reasons why there is none. */
static struct ssl_opinion ask_all(struct ssl_target *t, X509 *cert, X509 *issuer)
{
    const char *wish = belfry_text(t->p, "revocation"), *reasons = NULL;
    struct ssl_opinion opinion = { SSL_UNTOLD, NULL, NULL };
    for (size_t i = 0; i < sizeof sources / sizeof sources[0]; i++) {
        if (strcmp(wish, "any") != 0 && strcmp(wish, sources[i].name) != 0)
            continue;
        opinion = ask_source(t, &sources[i], cert, issuer);
        if (is_sure(&opinion))
            return opinion;
        reasons = reasons ? belfry_print(t->p, "%s; %s", reasons, opinion.text) : opinion.text;
    }
    opinion.text = reasons;
    return opinion;
}

void ssl_unsure(struct ssl_target *t, const char *whose, const char *why)
{
    const char *grade = belfry_text(t->p, "revocation_unknown");
    enum belfry_state state = strcmp(grade, "critical") == 0  ? BELFRY_CRITICAL
                              : strcmp(grade, "unknown") == 0 ? BELFRY_UNKNOWN
                                                              : BELFRY_WARNING;
    ssl_find(t, state, "whether %s is revoked is unknown: %s", whose, why);
}

static void judge(struct ssl_target *t, X509 *cert, X509 *issuer, bool leaf)
{
    const char *whose = leaf ? "it" : belfry_print(t->p, "the certificate of '%s'", ssl_name(t->p, cert));
    struct ssl_opinion opinion = ask_all(t, cert, issuer);
    if (opinion.word == SSL_REVOKED)
        ssl_find(t, BELFRY_CRITICAL, "%s%s, says %s", leaf ? "" : belfry_print(t->p, "%s ", whose), opinion.text,
                 opinion.by);
    else if (opinion.word == SSL_GOOD)
        ssl_note(t, "%s is not revoked, says %s", whose, opinion.by);
    else if (leaf && t->stapled)
        ssl_note(t, "%s is not revoked, says its stapled OCSP response only: %s", whose, opinion.text);
    else
        ssl_unsure(t, whose, opinion.text);
}

static bool is_issuer(X509 *issuer, X509 *cert)
{
    bool yes = X509_check_issued(issuer, cert) == X509_V_OK && X509_verify(cert, X509_get0_pubkey(issuer)) == 1;
    ERR_clear_error();
    return yes;
}

void ssl_ask_revocation(struct ssl_target *t, STACK_OF(X509) * chain)
{
    int count = sk_X509_num(chain);
    double begin = now_s();
    if (strcmp(belfry_text(t->p, "revocation"), "off") == 0 || count < 1)
        return;
    if (t->distrusted) {
        ssl_note(t, "nobody was asked whether it is revoked: it is not trusted");
        return;
    }
    int last = belfry_flag(t->p, "revocation_chain") ? count : 1;
    for (int i = 0; i < last && i < SSL_CHAIN_MAX; i++) {
        X509 *cert = sk_X509_value(chain, i), *issuer = i + 1 < count ? sk_X509_value(chain, i + 1) : NULL;
        if (X509_self_signed(cert, 0) == 1) {
            if (i == 0)
                ssl_note(t, "it is self-signed: nobody could revoke it");
            break;
        }
        if (issuer && is_issuer(issuer, cert))
            judge(t, cert, issuer, i == 0);
        else if (i == 0)
            ssl_unsure(t, "it", "the certificate of its issuer is missing");
    }
    t->revocation_s = now_s() - begin;
}
