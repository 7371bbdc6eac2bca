/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ledger - a file mapped shared: magic u32, signal u32 (0: no crash), crashes u32, bytes of the head u32 (0: none), the
 * inode of its file u64, the path, empty while librrd does not run, and the head. */
#include "core/recorder/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/text.h"

#define MAGIC 0x4c465242u
#define LOCK_RETRY_US 20000

struct ledger_page {
    uint32_t magic, signal_number, crashes;
    volatile uint32_t head_bytes; /* set last and cleared first */
    uint64_t inode;
    char path[LEDGER_PATH_SIZE];
    unsigned char head[LEDGER_HEAD_MAX];
};

static int lock(int fd, int64_t wait_ms)
{
    int64_t until_ms = clock_now_ms() + wait_ms;
    while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return -errno;
        if (clock_now_ms() >= until_ms)
            return ERROR_BUSY;
        usleep(LOCK_RETRY_US);
    }
    return 0;
}

/* What is there may be anything. */
static void repair(struct ledger_page *page)
{
    if (page->magic != MAGIC)
        memset(page, 0, sizeof(*page));
    page->magic = MAGIC;
    page->path[sizeof(page->path) - 1] = '\0';
}

int ledger_open(struct ledger *ledger, const char *folder, int64_t wait_ms, struct why *why)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/" LEDGER_NAME, folder);
    *ledger = (struct ledger){ .fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600) };
    if (ledger->fd < 0)
        return why_say(why, -errno, "'%s': %s", path, strerror(errno));
    int code = lock(ledger->fd, wait_ms);
    if (code == ERROR_BUSY)
        return why_say(why, code, "'%s': another recorder is at work in this folder", path);
    if (code == 0 && posix_fallocate(ledger->fd, 0, sizeof(struct ledger_page)) != 0)
        code = -ENOSPC; /* a page that has no room on the disk could not be written to */
    void *page =
        code < 0 ? MAP_FAILED : mmap(NULL, sizeof(*ledger->page), PROT_READ | PROT_WRITE, MAP_SHARED, ledger->fd, 0);
    if (page == MAP_FAILED)
        return why_say(why, code < 0 ? code : -errno, "'%s': %s", path, error_text(code < 0 ? code : -errno));
    ledger->page = page;
    repair(ledger->page);
    return 0;
}

const char *ledger_culprit(const struct ledger *ledger, int *signal_number)
{
    if (!ledger->page || ledger->page->signal_number == 0 || !ledger->page->path[0])
        return NULL;
    *signal_number = (int)(ledger->page->signal_number & 127);
    return ledger->page->path;
}

uint32_t ledger_crashes(const struct ledger *ledger)
{
    return ledger->page ? ledger->page->crashes : 0;
}

void ledger_acquit(struct ledger *ledger)
{
    ledger->page->signal_number = 0;
    ledger->page->head_bytes = 0;
    ledger->page->path[0] = '\0';
}

void ledger_clear(struct ledger *ledger)
{
    if (ledger->page)
        ledger->page->crashes = 0;
}

/* Fails quietly: without a head an update that is interrupted is not undone. */
static void remember_head(struct ledger_page *page, int fd, ino_t inode, uint64_t head_bytes)
{
    if (head_bytes > sizeof(page->head) || pread(fd, page->head, (size_t)head_bytes, 0) != (ssize_t)head_bytes)
        return;
    page->inode = inode;
    atomic_signal_fence(memory_order_seq_cst);
    page->head_bytes = (uint32_t)head_bytes;
}

void ledger_enter(struct ledger *ledger, const char *path, int fd, ino_t inode, uint64_t head_bytes)
{
    if (!ledger || !ledger->page)
        return;
    text_copy(ledger->page->path, sizeof(ledger->page->path), path);
    if (fd >= 0 && head_bytes > 0)
        remember_head(ledger->page, fd, inode, head_bytes);
    ledger->ticks = 0;
    ledger->ticks_max = head_bytes > 0 ? 1 : LEDGER_MAKE_TICKS;
}

void ledger_leave(struct ledger *ledger)
{
    if (!ledger || !ledger->page)
        return;
    ledger->page->head_bytes = 0;
    atomic_signal_fence(memory_order_seq_cst);
    ledger->page->path[0] = '\0';
}

const char *ledger_undo(struct ledger *ledger)
{
    struct stat st;
    struct ledger_page *page = ledger->page;
    uint32_t head_bytes = page ? page->head_bytes : 0;
    if (head_bytes == 0 || head_bytes > sizeof(page->head) || page->signal_number != 0)
        return NULL;
    int fd = open(page->path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    bool same = fd >= 0 && fstat(fd, &st) == 0 && st.st_ino == page->inode && st.st_size > (off_t)head_bytes;
    bool done = same && pwrite(fd, page->head, head_bytes, 0) == (ssize_t)head_bytes;
    if (fd >= 0)
        close(fd);
    page->head_bytes = 0;
    return done ? page->path : NULL;
}

void ledger_watch(void)
{
    struct itimerval every = { .it_value.tv_sec = LEDGER_CPU_S, .it_interval.tv_sec = LEDGER_CPU_S };
    setitimer(ITIMER_PROF, &every, NULL);
}

bool ledger_hangs(struct ledger *ledger)
{
    ledger->ticks++;
    return ledger->page && ledger->page->path[0] && ledger->ticks > ledger->ticks_max;
}

void ledger_blame(struct ledger *ledger, int signal_number)
{
    if (!ledger->page)
        return;
    ledger->page->signal_number = (uint32_t)signal_number;
    ledger->page->crashes++;
}

void ledger_close(struct ledger *ledger)
{
    if (ledger->page)
        munmap(ledger->page, sizeof(*ledger->page));
    if (ledger->fd >= 0)
        close(ledger->fd);
    *ledger = (struct ledger){ .fd = -1 };
}
