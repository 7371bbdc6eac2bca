/* SPDX-License-Identifier: GPL-3.0-or-later */
/* files - certificates in files, PEM or DER, and folders of them. In a PEM file the first certificate is the leaf, the
 * others are its chain; keys and texts between them are passed over. Only regular files of up to FILE_MAX bytes are
 * read: a pipe would never end. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "plugins/common/say.h"
#include "plugins/ssl/ssl.h"

#define FILE_MAX ((off_t)1024 * 1024)
#define DEPTH_MAX 3

/* ---- one file ------------------------------------------------------------------------------------------------ */

/* The bytes of a file; NULL with t->why. */
static BIO *read_file(struct ssl_target *t)
{
    struct stat st;
    int fd = open(t->name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    t->why = fd < 0 ? say_error(t->p, errno) : NULL;
    if (fd >= 0 && (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)))
        t->why = "is no regular file";
    else if (fd >= 0 && st.st_size > FILE_MAX)
        t->why = "is larger than 1 MiB: no file of certificates";
    BIO *bio = t->why ? NULL : BIO_new(BIO_s_mem());
    char chunk[4096];
    ssize_t n = 0, total = 0;
    while (bio && total <= FILE_MAX && (n = read(fd, chunk, sizeof chunk)) > 0)
        total += BIO_write(bio, chunk, (int)n);
    if (bio && n < 0)
        t->why = say_error(t->p, errno);
    if (fd >= 0)
        close(fd);
    if (bio && t->why) {
        BIO_free(bio);
        bio = NULL;
    }
    return bio;
}

static int no_password(char *into, int size, int writing, void *user)
{
    (void)into;
    (void)size;
    (void)writing;
    (void)user;
    return -1;
}

/* All certificates of a file; *broken says that one of them can't be read. */
static STACK_OF(X509) * read_certificates(BIO *bio, bool *broken)
{
    STACK_OF(X509) *found = sk_X509_new_null();
    char *bytes = NULL;
    long size = BIO_get_mem_data(bio, &bytes);
    const unsigned char *der = (const unsigned char *)bytes;
    X509 *x = size > 1 && der[0] == 0x30 ? d2i_X509(NULL, &der, size) : NULL;
    bool pem = !x;
    while (x || (pem && (x = PEM_read_bio_X509(bio, NULL, no_password, NULL)))) {
        if (!found || sk_X509_num(found) >= SSL_CHAIN_MAX || sk_X509_push(found, x) <= 0)
            X509_free(x);
        x = NULL;
    }
    unsigned long error = ERR_peek_last_error();
    *broken = pem && !(ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE);
    ERR_clear_error();
    return found;
}

bool ssl_look_at_file(struct ssl_target *t, bool expected)
{
    bool broken = false;
    ERR_clear_error();
    BIO *bio = read_file(t);
    STACK_OF(X509) *found = bio ? read_certificates(bio, &broken) : NULL;
    int count = found ? sk_X509_num(found) : 0;
    if (count > 0) {
        STACK_OF(X509) *chain = ssl_judge_chain(t, sk_X509_value(found, 0), found);
        if (t->trust && chain)
            ssl_ask_revocation(t, chain);
        sk_X509_pop_free(chain, X509_free);
    }
    if (broken)
        t->why = count > 0 ? "a certificate in it can't be read" : "can't be read as a certificate";
    else if (count == 0 && !t->why)
        t->why = "holds no certificate";
    bool skipped = count == 0 && !broken && bio && !expected;
    if (count == 0)
        t->unread = true;
    if (t->why && !skipped)
        t->state = t->state == BELFRY_CRITICAL ? BELFRY_CRITICAL : BELFRY_UNKNOWN;
    if (t->why && count > 0)
        t->problems = t->problems ? belfry_print(t->p, "%s; %s", t->problems, t->why) : t->why;
    sk_X509_pop_free(found, X509_free);
    BIO_free(bio);
    return !skipped;
}

/* ---- folders ------------------------------------------------------------------------------------------------- */

struct listing {
    struct belfry_probe *p;
    const char **out;
    size_t count, max;
    const char *why; /* what was not looked at */
};

static bool may_hold(const char *name)
{
    static const char *const ends[] = { ".pem", ".crt", ".cer", ".cert", ".der" };
    const char *end = strrchr(name, '.');
    for (size_t i = 0; end && i < sizeof ends / sizeof ends[0]; i++)
        if (strcasecmp(end, ends[i]) == 0)
            return true;
    return false;
}

static void scan(struct listing *l, const char *folder, int depth);

/* A link that leads nowhere, or where we may not look, counts as a file: reading it says why it can't be read. */
static void take(struct listing *l, const char *folder, const char *name, int depth)
{
    struct stat st;
    const char *path = belfry_print(l->p, "%s/%s", folder, name);
    bool found = stat(path, &st) == 0;
    if (found && S_ISDIR(st.st_mode) && depth < DEPTH_MAX)
        scan(l, path, depth + 1);
    else if ((!found || S_ISREG(st.st_mode)) && may_hold(name) && l->count < l->max)
        l->out[l->count++] = path;
    else if ((!found || S_ISREG(st.st_mode)) && may_hold(name))
        l->why = belfry_print(l->p, "more than %zu files: the others were not looked at", l->max);
}

static void scan(struct listing *l, const char *folder, int depth)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;
    if (!dir)
        l->why = belfry_print(l->p, "folder '%s': %s", folder, say_error(l->p, errno));
    while (dir && (entry = readdir(dir)))
        if (entry->d_name[0] != '.')
            take(l, folder, entry->d_name, depth);
    if (dir)
        closedir(dir);
}

size_t ssl_list_folder(struct belfry_probe *p, const char *folder, const char **out, size_t max, const char **why)
{
    struct listing l = { p, out, 0, max, NULL };
    scan(&l, folder, 0);
    *why = l.why;
    return l.count;
}
