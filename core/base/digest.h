/* SPDX-License-Identifier: GPL-3.0-or-later */
/* digest - SHA-256 by OpenSSL. */
#ifndef BASE_DIGEST_H
#define BASE_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#define DIGEST_SIZE 32
#define DIGEST_HEX_SIZE 65

void digest_sha256(const void *bytes, size_t n, unsigned char out[DIGEST_SIZE]);
/* Piece by piece; digest_end() frees it and sets NULL. */
struct digest;
struct digest *digest_begin(void);
void digest_more(struct digest *digest, const void *bytes, size_t n);
void digest_end(struct digest **digest, unsigned char out[DIGEST_SIZE]);
/* Of a file from offset to its end; 0 or -errno. */
int digest_file(int fd, uint64_t offset, unsigned char out[DIGEST_SIZE]);
char *digest_hex(const unsigned char digest[DIGEST_SIZE], char out[DIGEST_HEX_SIZE]);
/* Lower-case hex of exactly 64 characters; 0 or ERROR_SYNTAX. */
int digest_from_hex(const char *hex, unsigned char out[DIGEST_SIZE]);
/* n random bytes from the kernel. */
void digest_random(void *out, size_t n);

#endif
