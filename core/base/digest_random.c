/* SPDX-License-Identifier: GPL-3.0-or-later */
/* digest_random - the kernel's random bytes. In a file of its own, so that a program that wants nothing else of
 * digest.h is linked without OpenSSL, which takes the loader longer than all other libraries of ours. */
#include <errno.h>
#include <sys/random.h>

#include "core/base/digest.h"
#include "core/base/error.h"
#include "core/base/log.h"

void digest_random(void *out, size_t n)
{
    unsigned char *at = out;
    while (n > 0) {
        ssize_t got = getrandom(at, n, 0);
        if (got < 0 && errno != EINTR)
            log_fatal("digest", "the kernel gives no random bytes: %s", error_text(-errno));
        if (got > 0) {
            at += got;
            n -= (size_t)got;
        }
    }
}
