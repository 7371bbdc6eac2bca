/* SPDX-License-Identifier: GPL-3.0-or-later */
/* torture - the real writer under kill -9, and the oracle that says whether anything was lost.
 *
 *     torture kill FOLDER ROUNDS SEED   a process appends and acknowledges, and is killed at a random moment, again and
 *                                       again over one journal; writes are split, so that torn tails come often
 *     torture points FOLDER STRIDE      a script of 200 operations is killed at the entry of each call that changes the
 *                                       disk (every STRIDE-th), and then its recovery at each of its calls
 *     torture write FOLDER [lie]        appends until it is ended, with each acknowledged number as a line on stdout;
 *                                       lie: without a single sync
 *     torture check FOLDER ACKED        opens it: the record ACKED is there, nothing is twice, verify passes
 *     torture restart FOLDER RECORDS    how long it takes to open a journal with so many records
 *
 * A record says which number it was expected to get (a segment's own record may take that number, then it has the next
 * one), so that the oracle knows a record that was replaced. Exit status 0: nothing lost; 1: it says what. */
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/journal/writer.h"

#define SEGMENT_BYTES 20000
#define ROUNDS_A_JOURNAL 25
#define SCRIPT_OPERATIONS 200

static const char *folder;
static struct {
    _Atomic uint64_t acked;
} * shared; /* with the process that will be killed */

/* ---- a disk that kills ------------------------------------------------------------------------------------------- */

static struct {
    unsigned at, calls; /* the process is killed at the entry of call `at`; 0: never */
    bool split;         /* writes come in two parts, with a pause between them */
    bool lie;           /* syncs do nothing */
} killer;

static void count_call(void)
{
    if (++killer.calls == killer.at)
        raise(SIGKILL);
}

static int kill_open(void *self, int at, const char *name, int flags)
{
    count_call();
    return disk_system.open(self, at, name, flags);
}

static ssize_t kill_write(void *self, int fd, const void *bytes, size_t n)
{
    count_call();
    if (!killer.split || n < 2)
        return disk_system.write(self, fd, bytes, n);
    ssize_t done = disk_system.write(self, fd, bytes, 1 + (size_t)rand() % (n - 1));
    for (int i = rand() % 20; i > 0; i--)
        sched_yield();
    return done;
}

static int kill_sync(void *self, int fd)
{
    count_call();
    return killer.lie ? 0 : disk_system.sync(self, fd);
}

static int kill_sync_folder(void *self, int at)
{
    count_call();
    return killer.lie ? 0 : disk_system.sync_folder(self, at);
}

static int kill_truncate(void *self, int fd, uint64_t size)
{
    count_call();
    return disk_system.truncate(self, fd, size);
}

static int kill_rename(void *self, int at, const char *from, const char *to)
{
    count_call();
    return disk_system.rename(self, at, from, to);
}

static int kill_remove(void *self, int at, const char *name)
{
    count_call();
    return disk_system.remove(self, at, name);
}

static const struct journal_disk killing_disk = { NULL,          kill_open,   kill_write, kill_sync, kill_sync_folder,
                                                  kill_truncate, kill_rename, kill_remove };

/* ---- appending -----------------------------------------------------------------------------------------------------
 */

static struct journal *open_journal(const struct journal_disk *disk, uint64_t after, journal_visit visit, void *context,
                                    struct journal_recovery *recovery)
{
    const struct journal_options options = { .folder = folder, .segment_bytes = SEGMENT_BYTES };
    const struct writer_open request = { disk, &options, after, visit, context, 1 };
    struct journal *journal = NULL;
    struct why why = { "" };
    if (writer_open(&request, &journal, recovery, &why) != 0)
        printf("it can't be opened: %s\n", why.text);
    return journal;
}

static void append(struct journal *journal, size_t size)
{
    static char filler[4096];
    char members[sizeof filler + 64];
    memset(filler, 'x', sizeof filler);
    snprintf(members, sizeof members, "\"expected\":%llu,\"text\":\"%.*s\"",
             (unsigned long long)journal_last(journal) + 1, (int)(size < sizeof filler ? size : sizeof filler), filler);
    journal_append(journal, clock_wall_ms(), "check.state", "torture", members);
}

static void acknowledge(const struct journal *journal, bool print)
{
    uint64_t durable = journal_durable(journal);
    if (durable <= atomic_load(&shared->acked))
        return;
    if (print && printf("%llu\n", (unsigned long long)durable) < 0)
        _exit(1);
    fflush(stdout);
    atomic_store(&shared->acked, durable);
}

static void wait_event(const struct journal *journal)
{
    uint64_t count;
    struct pollfd fd = { journal_event_fd(journal), POLLIN, 0 };
    if (poll(&fd, 1, 1000) > 0 && read(fd.fd, &count, sizeof count) < 0 && errno != EAGAIN)
        _exit(1);
}

_Noreturn static void append_for_ever(bool print)
{
    struct journal_recovery recovery;
    struct journal *journal = open_journal(&killing_disk, 0, NULL, NULL, &recovery);
    while (journal && journal_error(journal) == 0) {
        for (int i = rand() % 8; i >= 0; i--)
            append(journal, (size_t)rand() % 1500);
        wait_event(journal);
        acknowledge(journal, print);
    }
    _exit(1);
}

/* ---- the oracle ----------------------------------------------------------------------------------------------------
 */

struct oracle {
    uint64_t last, want;
    bool seen;
    const char *trouble;
};

static int look(void *context, const struct journal_record *record)
{
    struct oracle *oracle = context;
    const char *expected = strstr(record->line, "\"expected\":");
    unsigned long long number = expected ? strtoull(expected + 11, NULL, 10) : 0;
    if (record->seq <= oracle->last)
        oracle->trouble = "a number is repeated";
    if (expected && record->seq != number && record->seq != number + 1)
        oracle->trouble = "a record is another than was written";
    oracle->seen |= record->seq == oracle->want;
    oracle->last = record->seq;
    return 0;
}

static const char *verify(void)
{
    struct journal_report report;
    struct why why;
    if (journal_verify(folder, NULL, &report, &why) != 0)
        return "verify can't read it";
    return report.fault_count > 0 || report.torn_tail ? "verify finds faults" : NULL;
}

/* Opens it as a daemon would: NULL, or what is wrong. */
static const char *check(uint64_t acked, unsigned *torn, bool whole)
{
    struct oracle oracle = { .last = acked > 0 ? acked - 1 : 0, .want = acked, .seen = acked == 0 };
    struct journal_recovery recovery;
    if (whole)
        oracle.last = 0;
    struct journal *journal = open_journal(&disk_system, oracle.last, look, &oracle, &recovery);
    if (!journal)
        return "it can't be opened any more";
    *torn += recovery.cut;
    if (journal_close(&journal) != 0)
        return "it can't be closed";
    if (recovery.damage[0])
        return "a crash looks like damage";
    if (oracle.trouble)
        return oracle.trouble;
    if (!oracle.seen)
        return "an acknowledged record is lost";
    return whole ? verify() : NULL;
}

static void empty_folder(void)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;
    while (dir && (entry = readdir(dir)) != NULL)
        if (entry->d_name[0] != '.')
            unlinkat(dirfd(dir), entry->d_name, 0);
    if (dir)
        closedir(dir);
    atomic_store(&shared->acked, 0);
}

/* ---- kill ----------------------------------------------------------------------------------------------------------
 */

static void kill_once(unsigned seed)
{
    pid_t pid = fork();
    if (pid == 0) {
        srand(seed);
        killer.split = true;
        append_for_ever(false);
    }
    const struct timespec pause = { 0, (rand() % 4000) * 1000L };
    nanosleep(&pause, NULL);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static int run_kill(int rounds, unsigned seed)
{
    unsigned torn = 0;
    uint64_t records = 0;
    srand(seed);
    for (int i = 1; i <= rounds; i++) {
        kill_once(seed + (unsigned)i);
        bool whole = i % ROUNDS_A_JOURNAL == 0 || i == rounds;
        if (!whole && rand() % 2) /* the next one recovers, and is killed perhaps while it does */
            continue;
        const char *trouble = check(atomic_load(&shared->acked), &torn, whole);
        if (trouble) {
            printf("round %d of seed %u: %s (%llu acknowledged)\n", i, seed, trouble,
                   (unsigned long long)atomic_load(&shared->acked));
            return 1;
        }
        if (whole) {
            records += atomic_load(&shared->acked);
            empty_folder();
        }
        if (i % 1000 == 0)
            fprintf(stderr, "  %d kills, %u torn tails, %llu acknowledged\n", i, torn, (unsigned long long)records);
    }
    printf(
        "kill: %d kills (seed %u), %u torn tails found by the oracle, %llu records acknowledged, 0 lost, 0 repeated\n",
        rounds, seed, torn, (unsigned long long)records);
    if (rounds < 1000 || torn >= 100)
        return 0;
    puts("kill: less than 100 torn tails: the run was blind");
    return 1;
}

/* ---- points --------------------------------------------------------------------------------------------------------
 */

static void run_script(void)
{
    char path[512];
    struct journal_recovery recovery;
    struct journal *journal = open_journal(&killing_disk, 0, NULL, NULL, &recovery);
    snprintf(path, sizeof path, "%s/snapshot", folder);
    for (int i = 0; journal && i < SCRIPT_OPERATIONS; i++) {
        append(journal, (size_t)i * 7 % 900);
        while (journal_durable(journal) < journal_last(journal) && journal_error(journal) == 0)
            wait_event(journal);
        acknowledge(journal, false);
        if (i % 20 == 19)
            journal_snapshot(journal, path, journal_last(journal), "{}", 2);
    }
    journal_close(&journal);
    _exit(0);
}

/* Whether it came so far as to be killed. */
static bool killed_at(unsigned at, bool recovery_only)
{
    pid_t pid = fork();
    if (pid == 0) {
        struct journal_recovery recovery;
        killer.at = at;
        if (!recovery_only)
            run_script();
        struct journal *journal = open_journal(&killing_disk, 0, NULL, NULL, &recovery);
        if (journal)
            acknowledge(journal, false); /* what a daemon shows at once */
        journal_close(&journal);
        _exit(0);
    }
    int status;
    waitpid(pid, &status, 0);
    return WIFSIGNALED(status);
}

static void cut_last_byte(void)
{
    char path[512], last[256] = "";
    struct stat st;
    DIR *dir = opendir(folder);
    struct dirent *entry;
    while (dir && (entry = readdir(dir)) != NULL)
        if (strlen(entry->d_name) == 26 && strcmp(entry->d_name, last) > 0)
            snprintf(last, sizeof last, "%s", entry->d_name);
    if (dir)
        closedir(dir);
    snprintf(path, sizeof path, "%s/%s", folder, last);
    if (*last && stat(path, &st) == 0 && st.st_size > 100 && atomic_load(&shared->acked) > 0 &&
        truncate(path, st.st_size - 1) == 0)
        atomic_fetch_sub(&shared->acked, 1); /* that record was torn by us */
}

static int tell_point(const char *trouble, unsigned n, unsigned m)
{
    printf("killed at call %u, and at call %u of the recovery: %s (%llu acknowledged)\n", n, m, trouble,
           (unsigned long long)atomic_load(&shared->acked));
    return 1;
}

/* Every second time the last line is torn before the recovery, so that there is something to repair. */
static int run_points(unsigned stride)
{
    unsigned torn = 0, points = 0, again = 0;
    bool came = true;
    for (unsigned n = 1; came; n += stride, points++) {
        bool more = true;
        for (unsigned m = 0; more; m++, again++) {
            empty_folder();
            came = killed_at(n, false);
            if (m % 2 == 0 && came)
                cut_last_byte();
            more = m == 0 || killed_at((m + 1) / 2, true) || m % 2 == 1;
            const char *trouble = check(atomic_load(&shared->acked), &torn, true);
            if (trouble)
                return tell_point(trouble, n, m);
        }
    }
    printf("points: killed at the entry of %u calls of %d operations, and at each call of the recoveries: %u rounds, "
           "%u torn tails, 0 lost, 0 repeated\n",
           points - 1, SCRIPT_OPERATIONS, again, torn);
    return 0;
}

/* ---- restart -------------------------------------------------------------------------------------------------------
 */

static int run_restart(int records)
{
    const struct journal_options options = { .folder = folder };
    struct journal_recovery recovery;
    struct why why = { "" };
    struct oracle oracle = { 0 };
    struct journal *journal = NULL;
    if (journal_open(&options, 0, NULL, NULL, &journal, &recovery, &why) != 0)
        return 1;
    for (int i = 0; i < records; i++)
        append(journal, 100);
    journal_close(&journal);
    int64_t begin_ms = clock_now_ms();
    if (journal_open(&options, 0, look, &oracle, &journal, &recovery, &why) != 0 || oracle.trouble)
        return 1;
    int64_t took_ms = clock_now_ms() - begin_ms;
    journal_close(&journal);
    printf("restart: %llu records read and checked in %.2f s, %.2f s for 100,000\n", (unsigned long long)oracle.last,
           (double)took_ms / 1000, (double)took_ms / records * 100);
    return oracle.last < (uint64_t)records;
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fputs("usage: torture kill|points|write|check|restart FOLDER [N [SEED]]\n", stderr);
        return 2;
    }
    int n = argc > 3 ? (int)strtol(argv[3], NULL, 10) : 1;
    unsigned torn = 0, seed = argc > 4 ? (unsigned)strtoul(argv[4], NULL, 10) : (unsigned)clock_wall_ms();
    folder = argv[2];
    log_setup(LOG_LEVEL_ERROR);
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        return 2;
    if (strcmp(argv[1], "kill") == 0)
        return run_kill(n, seed);
    if (strcmp(argv[1], "points") == 0)
        return run_points(n > 0 ? (unsigned)n : 1);
    if (strcmp(argv[1], "restart") == 0)
        return run_restart(n);
    killer.lie = argc > 3 && strcmp(argv[3], "lie") == 0;
    if (strcmp(argv[1], "write") == 0)
        append_for_ever(true);
    const char *trouble = check(strtoull(argc > 3 ? argv[3] : "0", NULL, 10), &torn, true);
    puts(trouble ? trouble : torn ? "torn" : "whole");
    return trouble != NULL;
}
