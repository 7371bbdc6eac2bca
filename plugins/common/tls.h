/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tls - puts a stream into TLS by OpenSSL, over belfry_wait(). A library of its own (libtls.la): plugins without TLS
 * don't link OpenSSL. Headers of OpenSSL are needed only by who looks closer at tls_session(). */
#ifndef PLUGINS_COMMON_TLS_H
#define PLUGINS_COMMON_TLS_H

#include "plugins/common/stream.h"

struct ssl_st;        /* OpenSSL's SSL */
struct x509_store_st; /* OpenSSL's X509_STORE */

struct stream_tls {
    const char *host;                     /* name or address: the certificate must be for it; a name is sent as SNI */
    const char *sni;                      /* sent instead of host; "" sends none */
    const char *ca_file, *ca_dir;         /* what is trusted instead of the system's certificates, or NULL */
    const char *client_cert, *client_key; /* PEM files, or NULL; the key may be in the certificate's file */
    int min_protocol, max_protocol;       /* TLS1_VERSION ... TLS1_3_VERSION of OpenSSL; 0: TLS 1.2, no maximum */
    const char *ciphers;                  /* OpenSSL's list for TLS 1.2 and older; NULL: its own choice */
    bool insecure;                        /* the certificate is not verified */
    bool weak;                            /* keys, digests and protocols are taken however weak: for looking at them */
    bool want_ocsp;                       /* ask for a stapled OCSP response */
};

enum tls_end {
    TLS_SECURED,
    TLS_UNREACHABLE, /* refused, timed out, no TLS */
    TLS_DISTRUSTED,  /* the certificate is not to be trusted: the peer was reached */
    TLS_MISUSED      /* the setup can't work: a file that is none */
};

struct tls_report {
    enum tls_end end;
    const char *why; /* unless secured: "TLS handshake with 127.0.0.1:443: timed out after 1 s" */
    bool refused;    /* the peer answered with an alert, or we had nothing in common */
    double handshake_s;
    const char *protocol, *cipher; /* "TLSv1.3", "TLS_AES_256_GCM_SHA384" */
    bool client_cert_wanted;       /* the server asks for a certificate and none was given */
    const unsigned char *ocsp;     /* the stapled response in DER, or NULL; lives until run() returns */
    size_t ocsp_size;
};

/* Secures an open stream; peer names it in texts. 0, or a negative code with report->end and report->why. Afterwards
 * stream_read() and stream_write() speak through TLS, and stream_close() ends it. */
int stream_start_tls(struct stream *s, const struct stream_tls *setup, const char *peer, struct tls_report *report);
/* The session of a secured stream, for its certificates; NULL for a plain one. Ends with stream_close(). */
struct ssl_st *tls_session(const struct stream *s);

/* The certificates to trust: those of ca_file and ca_dir, or the system's. To be freed with X509_STORE_free(); NULL
 * with *why. The system's are looked up one by one in their folder where that is hashed: reading the whole bundle takes
 * 20 ms, in which no other run of the process gets on. */
struct x509_store_st *tls_trust(struct belfry_probe *p, const char *ca_file, const char *ca_dir, const char **why);

#endif
