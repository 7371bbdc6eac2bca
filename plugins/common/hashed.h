/* SPDX-License-Identifier: GPL-3.0-or-later */
/* hashed - folders of certificates as `openssl rehash` makes them. */
#ifndef COMMON_HASHED_H
#define COMMON_HASHED_H

#include <stdbool.h>

/* Whether the folder has certificates under the hashes of their subjects ("5ad8a5d6.0"), as OpenSSL looks them up one
 * by one. NULL has none. */
bool hashed_is(const char *folder);

#endif
