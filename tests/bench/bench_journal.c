/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Makes a valid journal of many records, as a family of checks (one for a hundred
 * records, 2000 at most) writes it over many days: compressed, indexed.
 *
 *     bench_journal FOLDER RECORDS DAYS [SEGMENT_BYTES]
 *
 * A journal that is there is gone on with. The records end now and are spread evenly; each check goes OK -> CRITICAL
 * soft -> CRITICAL hard -> OK. */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/text.h"
#include "core/journal/journal.h"
#include "core/journal/tend.h"

#define CHECKS_MAX 2000u
#define QUEUE_MAX (64u << 20)

static void append(struct journal *journal, uint64_t i, unsigned checks, int64_t wall_ms)
{
    static const char *const moves[] = { "\"from\":\"OK\",\"to\":\"CRITICAL\",\"kind\":\"soft\",\"attempt\":1",
                                         "\"from\":\"CRITICAL\",\"to\":\"CRITICAL\",\"kind\":\"hard\",\"attempt\":2",
                                         "\"from\":\"CRITICAL\",\"to\":\"OK\",\"kind\":\"hard\",\"attempt\":1" };
    char members[400];
    unsigned check = (unsigned)(i % checks), move = (unsigned)(i / checks % 3);
    snprintf(members, sizeof members,
             "\"check\":\"shop%u/server%u\",%s,\"attempts\":2,\"text\":\"10.1.%u.%u:6379 answered after %llu us\"",
             check / 10, check % 10, moves[move], check / 10, check % 10, (unsigned long long)(i * 7919 % 1000003));
    journal_append(journal, wall_ms, "check.state", "keeper", members);
}

static int write_all(const struct journal_options *options, uint64_t records, int64_t days)
{
    struct journal_recovery recovery;
    struct journal *journal;
    struct why why = { "" };
    if (journal_open(options, 0, NULL, NULL, &journal, &recovery, &why) != 0) {
        fprintf(stderr, "%s\n", why.text);
        return -1;
    }
    unsigned checks = records / 100 >= CHECKS_MAX ? CHECKS_MAX : (unsigned)(records / 100) + 1;
    int64_t end_ms = clock_wall_ms(), span_ms = days * 86400000;
    for (uint64_t i = 0; i < records; i++) {
        append(journal, i, checks, end_ms - span_ms + (int64_t)((double)span_ms * (double)i / (double)records));
        while (journal_queued_bytes(journal) > QUEUE_MAX)
            poll(NULL, 0, 5);
        if (i % 1000000 == 999999)
            printf("%llu records\n", (unsigned long long)i + 1);
    }
    return journal_close(&journal);
}

static int64_t used_ns(void)
{
    struct timespec used;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return (int64_t)used.tv_sec * 1000000000 + used.tv_nsec;
}

/* As the journal's thread does it while nothing is to be written: the processor time of all steps and of the longest,
 * for which a record may have to wait. */
static void tend_all(const char *folder)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct tend *tend = tend_open(&disk_system, fd);
    int64_t begun_ns = used_ns(), now_ns = begun_ns, longest_ns = 0;
    for (bool more = true; more;) {
        int64_t before_ns = now_ns;
        more = tend_step(tend);
        now_ns = used_ns();
        longest_ns = now_ns - before_ns > longest_ns ? now_ns - before_ns : longest_ns;
    }
    printf("compressed and indexed in %.1f s of CPU, the longest step %.1f ms\n", (double)(now_ns - begun_ns) / 1e9,
           (double)longest_ns / 1e6);
    tend_close(&tend);
    close(fd);
}

int main(int argc, char **argv)
{
    int64_t records = 0, days = 0, segment = 0;
    if (argc < 4 || argc > 5 || (argc == 5 && text_integer(argv[4], &segment) != 0) ||
        text_integer(argv[2], &records) != 0 || text_integer(argv[3], &days) != 0 || records < 1) {
        fprintf(stderr, "usage: bench_journal FOLDER RECORDS DAYS [SEGMENT_BYTES]\n");
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    const struct journal_options options = { .folder = argv[1], .segment_bytes = (uint64_t)segment };
    if (write_all(&options, (uint64_t)records, days) != 0)
        return 1;
    printf("written; compressing\n");
    tend_all(argv[1]);
    return 0;
}
