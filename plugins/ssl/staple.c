/* SPDX-License-Identifier: GPL-3.0-or-later */
/* staple - judges the OCSP response that a server sent along with its certificate (RFC 6066, 6960): is it well signed,
 * in time, about this certificate, and does it call it good? A certificate that demands a staple (RFC 7633, "must
 * staple") and a server that has none do not work in a browser. */
#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "plugins/ssl/ssl.h"

#define CLOCK_SLACK_S 300

/* What a response says of a certificate: V_OCSP_CERTSTATUS_..., or -1 when it is about another one. */
static int find_status(OCSP_BASICRESP *response, X509 *leaf, X509 *issuer, int *reason, ASN1_GENERALIZEDTIME **from,
                       ASN1_GENERALIZEDTIME **until)
{
    const EVP_MD *digests[] = { EVP_sha1(), EVP_sha256() };
    for (size_t i = 0; i < sizeof digests / sizeof digests[0]; i++) {
        OCSP_CERTID *id = OCSP_cert_to_id(digests[i], leaf, issuer);
        int status = -1, found = id ? OCSP_resp_find_status(response, id, &status, reason, NULL, from, until) : 0;
        OCSP_CERTID_free(id);
        if (found == 1)
            return status;
    }
    return -1;
}

static void judge_response(struct ssl_target *t, OCSP_BASICRESP *response, STACK_OF(X509) * chain)
{
    ASN1_GENERALIZEDTIME *from = NULL, *until = NULL;
    int reason = -1;
    if (sk_X509_num(chain) < 2) {
        ssl_note(t, "the stapled OCSP response can't be judged: the issuer's certificate is missing");
        return;
    }
    int status = find_status(response, sk_X509_value(chain, 0), sk_X509_value(chain, 1), &reason, &from, &until);
    if (t->trust && OCSP_basic_verify(response, chain, t->trust, 0) != 1)
        ssl_find(t, BELFRY_CRITICAL, "the stapled OCSP response is not signed by the issuer");
    else if (status == -1)
        ssl_find(t, BELFRY_WARNING, "the stapled OCSP response is about another certificate");
    else if (OCSP_check_validity(from, until, CLOCK_SLACK_S, -1) != 1)
        ssl_find(t, BELFRY_WARNING, "the stapled OCSP response is out of date");
    else if (status == V_OCSP_CERTSTATUS_REVOKED)
        ssl_find(t, BELFRY_CRITICAL, "is revoked, says the stapled OCSP response (%s)",
                 reason >= 0 ? OCSP_crl_reason_str(reason) : "no reason given");
    else if (status == V_OCSP_CERTSTATUS_UNKNOWN)
        ssl_find(t, BELFRY_WARNING, "is unknown to its issuer, says the stapled OCSP response");
    else
        ssl_note(t, "the stapled OCSP response says: good");
}

static bool must_staple(X509 *leaf)
{
    return X509_get_ext_by_NID(leaf, NID_tlsfeature, -1) >= 0;
}

void ssl_judge_staple(struct ssl_target *t, STACK_OF(X509) * chain, const struct tls_report *report)
{
    const char *wish = belfry_text(t->p, "ocsp");
    const unsigned char *at = report->ocsp;
    if (strcmp(wish, "ignore") == 0)
        return;
    if (!at) {
        if (must_staple(sk_X509_value(chain, 0)))
            ssl_find(t, BELFRY_CRITICAL, "demands a stapled OCSP response, and the server has none");
        else if (strcmp(wish, "require") == 0)
            ssl_find(t, BELFRY_CRITICAL, "no OCSP response is stapled");
        return;
    }
    OCSP_RESPONSE *response = d2i_OCSP_RESPONSE(NULL, &at, (long)report->ocsp_size);
    int status = response ? OCSP_response_status(response) : -1;
    OCSP_BASICRESP *basic = status == OCSP_RESPONSE_STATUS_SUCCESSFUL ? OCSP_response_get1_basic(response) : NULL;
    if (basic)
        judge_response(t, basic, chain);
    else
        ssl_find(t, BELFRY_WARNING, "the stapled OCSP response is no answer: %s",
                 response ? OCSP_response_status_str(status) : "garbage");
    OCSP_BASICRESP_free(basic);
    OCSP_RESPONSE_free(response);
    ERR_clear_error();
}
