/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ssl - what the files of the plugin share: a target and what was found about it. */
#ifndef PLUGINS_SSL_H
#define PLUGINS_SSL_H

#include <openssl/x509.h>

#include "belfry/plugin.h"
#include "plugins/common/tls.h"

#define SSL_CHAIN_MAX 10

/* One certificate of a chain, as far as it is judged. */
struct ssl_cert {
    const char *name;                 /* what it is for, or whose it is */
    double days_left, lifetime_share; /* the share in percent of the days it was issued for */
    double lifetime_days;
    bool by_share; /* judged by its share: issued for a short time */
};

/* What is known of one host or file. */
struct ssl_target {
    struct belfry_probe *p;
    const char *name;         /* as written: "www.example.net:443", "/etc/ssl/a.pem" */
    const char *host, *port;  /* a host; else a file */
    const char *want;         /* the name that the certificate must be for, or NULL */
    X509_STORE *trust;        /* NULL: trust is not judged */
    double until;             /* now_s() by which this target must be done; 0: the run's deadline */
    bool unreachable, unread; /* there is no certificate: why */
    const char *why;
    bool distrusted; /* its chain can't be trusted */
    bool stapled;    /* a stapled OCSP response calls it good */

    enum belfry_state state;
    const char *problems; /* "; "-joined, or NULL */
    struct ssl_cert chain[SSL_CHAIN_MAX];
    size_t chain_length;
    double security_bits; /* of the weakest key or signature */
    const char *weakest;  /* "RSA-1024 key of 'x'" */
    const char *key;      /* the leaf's: "RSA-2048" */
    const char *protocol;
    double connect_s, tls_s, revocation_s; /* revocation_s 0: nothing was asked */
};

/* ssl.c: notes a problem. */
BELFRY_PRINTF(3, 4)
void ssl_find(struct ssl_target *t, enum belfry_state state, const char *format, ...);
/* One more line of long text, with the target's name before it where there are several. */
BELFRY_PRINTF(2, 3)
void ssl_note(struct ssl_target *t, const char *format, ...);

/* chain.c: judges a certificate, those sent with it, its host and trust. Gives back the chain it built, leaf first, to
 * be freed with its elements. */
STACK_OF(X509) * ssl_judge_chain(struct ssl_target *t, X509 *leaf, STACK_OF(X509) * sent);
/* "61 days", "14 h" */
const char *ssl_days(struct belfry_probe *p, double days);
/* Whose certificate it is. */
const char *ssl_name(struct belfry_probe *p, X509 *cert);

/* What somebody says of a certificate. */
enum ssl_word {
    SSL_GOOD,
    SSL_REVOKED, /* text: "is revoked since 2026-11-20 08:00 UTC (keyCompromise)" */
    SSL_UNTOLD,  /* text: why, as "is out of date" */
    SSL_FORGED   /* likewise: not signed by who should have */
};

struct ssl_opinion {
    enum ssl_word word;
    const char *text;
    const char *by; /* who says it */
};

/* staple.c: the opinion that it is revoked; reason as OCSP and lists number it, or -1. */
struct ssl_opinion ssl_revoked(struct belfry_probe *p, const ASN1_TIME *when, int reason);
/* staple.c: judges what the server stapled, or that it did not. */
void ssl_judge_staple(struct ssl_target *t, STACK_OF(X509) * chain, const struct tls_report *report);

/* ocsp.c: what a response says; and asking for one at a responder's address. */
struct ssl_opinion ssl_ocsp_read(struct belfry_probe *p, const unsigned char *der, size_t size, X509 *cert,
                                 X509 *issuer);
struct ssl_opinion ssl_ocsp_ask(struct ssl_target *t, const char *url, X509 *cert, X509 *issuer);

/* crl.c: what the revocation list at an address says. */
struct ssl_opinion ssl_crl_ask(struct ssl_target *t, const char *url, X509 *cert, X509 *issuer);

/* revocation.c: asks whether the certificates of a chain are revoked, as the options say. */
void ssl_ask_revocation(struct ssl_target *t, STACK_OF(X509) * chain);
/* The problem that it could not be found out; whose: "it". */
void ssl_unsure(struct ssl_target *t, const char *whose, const char *why);

/* One HTTP request and its answer. */
struct ssl_errand {
    const char *url, *name; /* name: for texts, instead of the address */
    size_t most;            /* bytes of the answer */
    const void *body;       /* to POST, or NULL */
    size_t body_size;
};
struct ssl_answer {
    const char *name, *why; /* why: there is no body */
    long status;            /* 0: no answer of HTTP */
    char *body;
    size_t size;
};
/* revocation.c: true with a body, which ssl_answer_free() ends. */
bool ssl_fetch(struct ssl_target *t, const struct ssl_errand *errand, struct ssl_answer *out);
void ssl_answer_free(struct ssl_answer *answer);

/* server.c: connects, looks at the certificates, protocol and ciphers. */
void ssl_look_at_host(struct ssl_target *t);

/* starttls.c: the words before TLS. 0, or a negative code with *why; *reached says that the server answered properly
 * but will not. */
extern const char *const ssl_starttls[];
int ssl_start_by(struct stream *s, const char *protocol, const char **why, bool *reached);
const char *ssl_port_of(const char *protocol);

/* files.c: a file with certificates, the first of which is the leaf; false when it holds none and none was expected. */
bool ssl_look_at_file(struct ssl_target *t, bool expected);
/* The files in a folder and those below it that may hold certificates: their number, at most max; *why when not all of
 * it could be looked at. */
size_t ssl_list_folder(struct belfry_probe *p, const char *folder, const char **out, size_t max, const char **why);

#endif
