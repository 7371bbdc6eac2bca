/* SPDX-License-Identifier: GPL-3.0-or-later */
/* trust - the certificates that tls trusts. The system's are where OpenSSL says (SSL_CERT_FILE and SSL_CERT_DIR move
 * them); bundles[] are where distributions keep them when that place is empty. */
#include <openssl/err.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <stdlib.h>
#include <unistd.h>

#include "plugins/common/hashed.h"
#include "plugins/common/tls.h"

static bool add_folder(X509_STORE *store, const char *folder)
{
    X509_LOOKUP *lookup = X509_STORE_add_lookup(store, X509_LOOKUP_hash_dir());
    return lookup && X509_LOOKUP_add_dir(lookup, folder, X509_FILETYPE_PEM) == 1;
}

static const char *add_own(struct belfry_probe *p, X509_STORE *store, const char *ca_file, const char *ca_dir)
{
    if (ca_file && X509_STORE_load_file(store, ca_file) != 1)
        return belfry_print(p, "ca_file '%s' can't be read as certificates", ca_file);
    if (ca_dir && (!hashed_is(ca_dir) || !add_folder(store, ca_dir)))
        return belfry_print(p, "ca_dir '%s' has no certificates under their hashes: run openssl rehash '%s'", ca_dir,
                            ca_dir);
    return NULL;
}

static void add_system(X509_STORE *store)
{
    static const char *const bundles[] = { "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
                                           "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem" };
    const char *file = getenv(X509_get_default_cert_file_env()), *dir = getenv(X509_get_default_cert_dir_env());
    const char *folder = dir ? dir : X509_get_default_cert_dir();
    if (!file && hashed_is(folder)) {
        add_folder(store, folder);
        return;
    }
    X509_STORE_set_default_paths(store);
    for (size_t i = 0; !file && i < sizeof bundles / sizeof bundles[0]; i++)
        if (access(bundles[i], R_OK) == 0 && X509_STORE_load_file(store, bundles[i]) == 1)
            break;
}

struct x509_store_st *tls_trust(struct belfry_probe *p, const char *ca_file, const char *ca_dir, const char **why)
{
    X509_STORE *store = X509_STORE_new();
    *why = store ? NULL : "OpenSSL has no memory";
    if (store && (ca_file || ca_dir))
        *why = add_own(p, store, ca_file, ca_dir);
    else if (store)
        add_system(store);
    ERR_clear_error();
    if (*why) {
        X509_STORE_free(store);
        return NULL;
    }
    return store;
}
