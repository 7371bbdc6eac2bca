/* SPDX-License-Identifier: GPL-3.0-or-later */
/* remote - the runner's side of a backup that is fetched: a stream that comes once. What is read of it to see what it
 * is, is kept in memory and read again when it is restored; a restore that must begin anew has it sent anew. Its end is
 * believed when the tool that sends it ended well, as many bytes came as were announced, and the checksum is right. */
#include <errno.h>
#include <openssl/evp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/text.h"
#include "core/drill/fetch.h"

#define KEPT_BYTES_MAX (16u << 20)
#define GULP_BYTES (256u << 10)
#define WAIT_MS 50

struct remote {
    struct fetch_choice choice;
    struct buf kept; /* the begin of it */
    size_t at;       /* in kept */
    bool dropped;    /* kept is no longer the begin */
    bool ended;
    EVP_MD_CTX *hash; /* of its checksum, or NULL */
    int64_t came, began_ms, waiting_ms;
};

/* ---- the fetcher ------------------------------------------------------------------------------------------------- */

/* Its answer; *fd: what came with it, or -1. 0, or -1 after run_fail(). */
static int request(struct run *run, char what, struct fetch_answer *out, int *fd)
{
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = { 0 };
    struct iovec part = { out, sizeof *out };
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control
    };
    *fd = -1;
    if (send(run->fetch_fd, &what, 1, MSG_NOSIGNAL) != 1 ||
        recvmsg(run->fetch_fd, &message, MSG_CMSG_CLOEXEC) != (ssize_t)sizeof *out)
        return run_fail(run, PHASE_FETCH, "the process that fetches it has ended");
    const struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    if (head && head->cmsg_type == SCM_RIGHTS)
        memcpy(fd, CMSG_DATA(head), sizeof *fd);
    run->outcome->tool_cpu_ms[PHASE_FETCH] = out->cpu_ms;
    out->why[sizeof out->why - 1] = '\0';
    return out->good ? 0 : run_fail(run, PHASE_FETCH, "%s", out->why);
}

int remote_find(struct run *run)
{
    struct fetch_answer answer;
    struct outcome *outcome = run->outcome;
    struct remote *remote = arena_alloc(&run->arena, sizeof *remote);
    int fd;
    if (request(run, FETCH_FIND, &answer, &fd) != 0)
        return -1;
    remote->choice = answer.choice;
    const struct fetch_choice *choice = &remote->choice;
    if (choice->count == 0)
        return run_fail(run, PHASE_FETCH, "there is no backup at '%s'", run->config->source);
    if (!choice->id[0])
        return run_fail(run, PHASE_FETCH, "none of the %u backups at '%s' is called '%s'", choice->count,
                        run->config->source, run_wanted(run));
    text_copy(run->source.path, sizeof run->source.path, choice->name);
    text_copy(outcome->backup, sizeof outcome->backup, choice->name);
    run->source.remote = remote;
    run->source.bytes = outcome->backup_bytes = choice->bytes;
    outcome->backup_wall_ms = choice->wall_ms;
    atomic_store(&outcome->bytes_total, choice->bytes);
    return choice->bytes > 0 ? 0 : run_fail(run, PHASE_FETCH, "'%s' is empty", choice->name);
}

/* ---- the stream -------------------------------------------------------------------------------------------------- */

static void forget(struct run *run)
{
    struct remote *remote = run->source.remote;
    if (run->source.fd >= 0)
        close(run->source.fd);
    run->source.fd = -1;
    buf_close(&remote->kept);
    EVP_MD_CTX_free(remote->hash);
    *remote = (struct remote){ .choice = remote->choice };
}

static int begin(struct run *run)
{
    struct remote *remote = run->source.remote;
    struct fetch_answer answer;
    char name[16] = "";
    forget(run);
    if (request(run, FETCH_OPEN, &answer, &run->source.fd) != 0)
        return -1;
    const char *checksum = remote->choice.checksum, *colon = strchr(checksum, ':');
    if (colon && colon - checksum < (int)sizeof name)
        memcpy(name, checksum, (size_t)(colon - checksum));
    const EVP_MD *digest = name[0] ? EVP_get_digestbyname(name) : NULL;
    remote->hash = digest ? EVP_MD_CTX_new() : NULL;
    if (remote->hash)
        EVP_DigestInit_ex(remote->hash, digest, NULL);
    remote->kept.max_bytes = KEPT_BYTES_MAX + (1u << 20);
    remote->began_ms = clock_now_ms();
    return 0;
}

int remote_rewind(struct run *run)
{
    struct remote *remote = run->source.remote;
    if (run->source.fd < 0 || remote->dropped)
        return begin(run);
    remote->at = 0;
    return 0;
}

static int check_sum(struct run *run)
{
    struct remote *remote = run->source.remote;
    const char *wanted = strchr(remote->choice.checksum, ':');
    unsigned char digest[EVP_MAX_MD_SIZE];
    char hex[2 * EVP_MAX_MD_SIZE + 1] = "";
    unsigned length = 0;
    if (!remote->hash || EVP_DigestFinal_ex(remote->hash, digest, &length) != 1)
        return 0;
    for (unsigned i = 0; i < length; i++)
        snprintf(hex + (size_t)2 * i, 3, "%02x", digest[i]);
    if (strcasecmp(hex, wanted + 1) == 0)
        return 0;
    return run_fail(run, PHASE_FETCH,
                    "what came is not what was backed up: its checksum is '%.*s:%s', and it should be "
                    "'%.100s'",
                    (int)(wanted - remote->choice.checksum), remote->choice.checksum, hex, remote->choice.checksum);
}

/* Nothing more comes: why? */
static int end(struct run *run)
{
    struct remote *remote = run->source.remote;
    struct fetch_answer answer;
    int fd;
    remote->ended = true;
    run->outcome->fetch_ms = clock_now_ms() - remote->began_ms;
    run->outcome->fetch_bytes = remote->came;
    if (request(run, FETCH_END, &answer, &fd) != 0)
        return -1;
    if (remote->came != remote->choice.bytes)
        return run_fail(run, PHASE_FETCH, "it was cut off: %lld of %lld bytes came", (long long)remote->came,
                        (long long)remote->choice.bytes);
    return check_sum(run);
}

static ssize_t read_kept(struct remote *remote, void *bytes, size_t n, bool keep)
{
    size_t left = remote->kept.length - remote->at;
    n = n < left ? n : left;
    memcpy(bytes, remote->kept.data + remote->at, n);
    remote->at += n;
    if (!keep) {
        remote->dropped = true;
        if (remote->at == remote->kept.length) {
            buf_close(&remote->kept);
            remote->at = 0;
        }
    }
    return (ssize_t)n;
}

/* Nothing is there: how long is that so? */
static ssize_t wait_longer(struct run *run)
{
    struct remote *remote = run->source.remote;
    char stall[TEXT_DURATION_SIZE];
    int64_t now_ms = clock_now_ms();
    remote->waiting_ms = remote->waiting_ms ? remote->waiting_ms : now_ms;
    errno = EAGAIN;
    if (now_ms - remote->waiting_ms < run->config->stall_ms)
        return -1;
    run_fail(run, PHASE_FETCH, "nothing came for %s, after %lld of %lld bytes",
             text_format_age(stall, run->config->stall_ms), (long long)remote->came, (long long)remote->choice.bytes);
    errno = EIO;
    return -1;
}

ssize_t remote_read(struct run *run, void *bytes, size_t n, bool keep)
{
    struct remote *remote = run->source.remote;
    if (remote->at < remote->kept.length)
        return read_kept(remote, bytes, n, keep);
    if (remote->ended)
        return 0;
    if (keep && remote->kept.length >= KEPT_BYTES_MAX) {
        errno = ENOBUFS;
        return -1;
    }
    ssize_t got = read(run->source.fd, bytes, n);
    if (got < 0)
        return errno == EAGAIN || errno == EINTR ? wait_longer(run) : -1;
    remote->waiting_ms = 0;
    if (got == 0) {
        errno = EIO;
        return end(run) == 0 ? 0 : -1;
    }
    remote->came += got;
    if (remote->hash)
        EVP_DigestUpdate(remote->hash, bytes, (size_t)got);
    if (keep) {
        buf_add(&remote->kept, bytes, (size_t)got);
        remote->at = remote->kept.length;
    } else {
        remote->dropped = true;
    }
    return got;
}

/* Reads on to the end, whoever has given up on it. */
static void read_out(struct run *run)
{
    struct remote *remote = run->source.remote;
    unsigned char *bytes = heap_alloc(GULP_BYTES);
    ssize_t n = 1;
    while (!remote->ended && (n > 0 || (n < 0 && errno == EAGAIN))) {
        struct pollfd ready = { run->source.fd, POLLIN, 0 };
        n = remote_read(run, bytes, GULP_BYTES, false);
        if (n > 0)
            atomic_fetch_add(&run->outcome->bytes, n);
        else
            poll(&ready, 1, WAIT_MS);
    }
    free(bytes);
}

void remote_blame(struct run *run)
{
    const struct remote *remote = run->source.remote;
    struct outcome *outcome = run->outcome;
    enum phase phase = outcome->failed_phase;
    if (run->plan || !remote || !remote->hash || remote->ended ||
        (phase != PHASE_DECRYPT && phase != PHASE_UNPACK && phase != PHASE_RESTORE))
        return;
    const char *why = arena_text(&run->arena, outcome->why);
    run_begin(run, PHASE_FETCH);
    outcome->result = DRILL_RUNNING;
    read_out(run);
    if (outcome->result != DRILL_FAILED) /* it came as it was */
        run_fail(run, phase, "%s", why);
}
