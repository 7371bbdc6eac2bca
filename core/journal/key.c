/* SPDX-License-Identifier: GPL-3.0-or-later */
/* key - K of the next epoch is the SHA-256 of a fixed text and K. A key that was left behind is wiped in memory at once
 * (explicit_bzero); on disk the new file takes the old one's name, then the old one, still open, is overwritten with
 * zeros and synced. What a file system or a disk has copied elsewhere (copy on write, flash) is out of our reach:
 * doc/adr/0040 says what that means. */
#include "core/journal/key.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/buf.h"
#include "core/base/file.h"
#include "core/base/log.h"
#include "core/base/text.h"

static const char next_key[] = "belfry journal next key\n";

void key_draw(struct key *key)
{
    key->epoch = 0;
    digest_random(key->bytes, sizeof key->bytes);
}

static void step(struct key *key)
{
    unsigned char bytes[sizeof next_key - 1 + DIGEST_SIZE];
    memcpy(bytes, next_key, sizeof next_key - 1);
    memcpy(bytes + sizeof next_key - 1, key->bytes, DIGEST_SIZE);
    digest_sha256(bytes, sizeof bytes, key->bytes);
    explicit_bzero(bytes, sizeof bytes);
    key->epoch++;
}

int key_evolve(struct key *key, uint64_t epoch)
{
    if (epoch < key->epoch || epoch - key->epoch >= KEY_STEPS_MAX)
        return ERROR_RANGE;
    while (key->epoch < epoch)
        step(key);
    return 0;
}

void key_wipe(struct key *key)
{
    explicit_bzero(key, sizeof *key);
}

void key_sign(const struct key *key, const char *journal_id, const char *bytes, size_t length,
              char mac[DIGEST_HEX_SIZE])
{
    unsigned char digest[DIGEST_SIZE];
    unsigned n = sizeof digest;
    struct buf text = { 0 };
    buf_text(&text, journal_id);
    buf_char(&text, '\n');
    buf_add(&text, bytes, length);
    if (HMAC(EVP_sha256(), key->bytes, sizeof key->bytes, (const unsigned char *)text.data, text.length, digest, &n) ==
        NULL)
        log_fatal("key", "HMAC is not available from this OpenSSL");
    digest_hex(digest, mac);
    buf_close(&text);
}

char *key_format(char out[KEY_TEXT_SIZE], const struct key *key)
{
    char hex[DIGEST_HEX_SIZE];
    snprintf(out, KEY_TEXT_SIZE, "%llu:%s", (unsigned long long)key->epoch, digest_hex(key->bytes, hex));
    explicit_bzero(hex, sizeof hex);
    return out;
}

int key_parse(const char *text, struct key *out)
{
    char copy[KEY_TEXT_SIZE];
    int64_t epoch = -1;
    size_t n = text_copy(copy, sizeof copy, text);
    int code = n < sizeof copy ? 0 : ERROR_SYNTAX;
    if (code == 0 && n > 0 && copy[n - 1] == '\n')
        copy[n - 1] = '\0';
    char *colon = strchr(copy, ':');
    if (code == 0 && colon == NULL)
        code = ERROR_SYNTAX;
    if (code == 0) {
        *colon = '\0';
        code = text_integer(copy, &epoch) == 0 && epoch >= 0 ? digest_from_hex(colon + 1, out->bytes) : ERROR_SYNTAX;
        out->epoch = (uint64_t)epoch;
    }
    explicit_bzero(copy, sizeof copy);
    return code;
}

/* ---- the file -------------------------------------------------------------------------------------------------- */

static int check_file(int fd, const char *path, struct why *why)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return why_say(why, -errno, "the sealing key '%s' can't be read: %s", path, error_text(-errno));
    if (!S_ISREG(st.st_mode) || (st.st_mode & 077) != 0)
        return why_say(why, ERROR_REFUSED, "the sealing key '%s' may be read by others: chmod 600 it", path);
    return 0;
}

int key_read(const char *path, struct key *out, struct why *why)
{
    char text[KEY_TEXT_SIZE] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT)
        return -ENOENT;
    if (fd < 0)
        return why_say(why, -errno, "the sealing key '%s' can't be opened: %s", path, error_text(-errno));
    int code = check_file(fd, path, why);
    if (code == 0 && read(fd, text, sizeof text - 1) < 0)
        code = why_say(why, -errno, "the sealing key '%s' can't be read: %s", path, error_text(-errno));
    if (code == 0 && key_parse(text, out) != 0)
        code = why_say(why, ERROR_DAMAGED, "the sealing key '%s' is damaged: it is one line EPOCH:KEY", path);
    explicit_bzero(text, sizeof text);
    close(fd);
    return code;
}

/* The bytes of a file that has lost its name. */
static void overwrite(int fd)
{
    static const char zeros[KEY_TEXT_SIZE];
    if (pwrite(fd, zeros, sizeof zeros, 0) != (ssize_t)sizeof zeros || fdatasync(fd) != 0)
        log_warn("journal", "an old sealing key could not be overwritten: %s", error_text(-errno));
}

int key_store(const char *path, const struct key *key)
{
    char text[KEY_TEXT_SIZE];
    int old = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    key_format(text, key);
    size_t n = strlen(text);
    text[n] = '\n';
    int code = file_replace(path, text, n + 1, 0600);
    explicit_bzero(text, sizeof text);
    if (old >= 0) {
        if (code == 0)
            overwrite(old);
        close(old);
    }
    return code;
}
