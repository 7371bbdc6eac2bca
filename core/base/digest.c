/* SPDX-License-Identifier: GPL-3.0-or-later */
/* digest - SHA-256 by OpenSSL's EVP interface, and its hex form. What cannot fail on a sound system ends the process
 * when it does: going on without it would be a lie. */
#include "core/base/digest.h"

#include <errno.h>
#include <openssl/evp.h>
#include <string.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/log.h"

static const char hex_digits[] = "0123456789abcdef";

void digest_sha256(const void *bytes, size_t n, unsigned char out[DIGEST_SIZE])
{
    if (EVP_Digest(bytes, n, out, NULL, EVP_sha256(), NULL) != 1)
        log_fatal("digest", "SHA-256 is not available from this OpenSSL");
}

/* OpenSSL's context by another name: it is only ever handed on. */
static EVP_MD_CTX *context_of(struct digest *digest)
{
    return (EVP_MD_CTX *)digest;
}

struct digest *digest_begin(void)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (!context || EVP_DigestInit_ex(context, EVP_sha256(), NULL) != 1)
        log_fatal("digest", "SHA-256 is not available from this OpenSSL");
    return (struct digest *)context;
}

void digest_more(struct digest *digest, const void *bytes, size_t n)
{
    if (EVP_DigestUpdate(context_of(digest), bytes, n) != 1)
        log_fatal("digest", "SHA-256 failed");
}

void digest_end(struct digest **digest, unsigned char out[DIGEST_SIZE])
{
    if (EVP_DigestFinal_ex(context_of(*digest), out, NULL) != 1)
        log_fatal("digest", "SHA-256 failed");
    EVP_MD_CTX_free(context_of(*digest));
    *digest = NULL;
}

static int add_file(struct digest *digest, int fd, uint64_t offset)
{
    char bytes[16384];
    for (;;) {
        ssize_t n = pread(fd, bytes, sizeof bytes, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : 0;
        digest_more(digest, bytes, (size_t)n);
        offset += (uint64_t)n;
    }
}

int digest_file(int fd, uint64_t offset, unsigned char out[DIGEST_SIZE])
{
    struct digest *digest = digest_begin();
    int code = add_file(digest, fd, offset);
    digest_end(&digest, out);
    return code;
}

char *digest_hex(const unsigned char digest[DIGEST_SIZE], char out[DIGEST_HEX_SIZE])
{
    for (size_t i = 0; i < DIGEST_SIZE; i++) {
        out[2 * i] = hex_digits[digest[i] >> 4];
        out[2 * i + 1] = hex_digits[digest[i] & 15];
    }
    out[2 * DIGEST_SIZE] = '\0';
    return out;
}

int digest_from_hex(const char *hex, unsigned char out[DIGEST_SIZE])
{
    unsigned char digest[DIGEST_SIZE] = { 0 };
    if (strnlen(hex, 2 * DIGEST_SIZE + 1) != 2 * DIGEST_SIZE)
        return ERROR_SYNTAX;
    for (size_t i = 0; i < 2 * DIGEST_SIZE; i++) {
        const char *digit = strchr(hex_digits, hex[i]);
        if (!digit)
            return ERROR_SYNTAX;
        digest[i / 2] = (unsigned char)(digest[i / 2] << 4 | (unsigned char)(digit - hex_digits));
    }
    memcpy(out, digest, sizeof digest);
    return 0;
}
