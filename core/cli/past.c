/* SPDX-License-Identifier: GPL-3.0-or-later */
/* past - the journal folded into a history. Of what was before the time only the last records matter that say in which
 * state it began: they are looked for from the end. */
#include "core/cli/past.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/journal/journal.h"
#include "core/model/history.h"

/* Records of the check, and of all its instances, that may hide each other. */
#define LAST_OF_CHECK 64
#define LAST_OF_PARTS 4096

/* Between a kill and the start behind it there are at most so many records of the start. */
#define LOOK_BACK 32u
#define PICKS_MAX 40u

struct reading {
    const char *journal;
    const struct past *past;
    struct history_fold *fold;
    struct why *why;
};

static int take_seen(void *context, const struct journal_record *record)
{
    if (strncmp(record->type, "journal.", strlen("journal.")) != 0)
        history_seen(context, record->wall_ms);
    return 0;
}

/* Only what is wanted was read: when was the daemon there last before record seq? */
static int look_back(const struct reading *reading, uint64_t seq)
{
    const struct journal_filter filter = { .first_seq = seq > LOOK_BACK ? seq - LOOK_BACK : 1, .last_seq = seq - 1 };
    return seq > 1 ? journal_query(reading->journal, &filter, take_seen, reading->fold, reading->why) : 0;
}

static int take(void *context, const struct journal_record *record)
{
    const struct reading *reading = context;
    const struct history_record from = { record->type, record->line, record->length, record->wall_ms };
    int code = history_asks(reading->fold, &from) ? look_back(reading, record->seq) : 0;
    if (code == 0)
        history_add(reading->fold, &from);
    return code;
}

/* How it was when the time began. The marks of then are not in the picture. */
static int read_before(struct reading *reading)
{
    const struct past *past = reading->past;
    const struct journal_filter filters[] = {
        { .type = past->part ? "part.state" : "check.state",
          .subject = past->check,
          .last = past->part ? LAST_OF_PARTS : LAST_OF_CHECK },
        { .type = "daemon.", .last = 1 },
        { .type = "breaker.", .subject = past->breaker, .last = LAST_OF_CHECK },
    };
    int code = 0;
    for (size_t i = 0; code == 0 && i < sizeof(filters) / sizeof(*filters); i++) {
        struct journal_filter filter = filters[i];
        filter.until_ms = past->since_ms - 1;
        code = journal_query(reading->journal, &filter, take, reading, reading->why);
    }
    return code;
}

/* What a history is made of, as a question to the journal. */
static size_t list_picks(const struct past *past, const char *service, struct journal_pick picks[PICKS_MAX])
{
    const char *const subjects[] = {
        [HISTORY_OF_CHECK] = past->check, [HISTORY_OF_SERVICE] = service, [HISTORY_OF_BREAKER] = past->breaker
    };
    enum history_about about;
    size_t n = 0;
    for (const char *type; (type = history_wants(n, &about)) != NULL; n++) {
        assert(n < PICKS_MAX);
        picks[n] = (struct journal_pick){ type, subjects[about] }; /* of all: NULL */
    }
    return n;
}

static int read_past(struct cli *cli, struct reading *reading)
{
    const struct past *past = reading->past;
    struct journal_pick picks[PICKS_MAX];
    const char *service = arena_text_n(&cli->arena, past->check, strcspn(past->check, "/"));
    const struct journal_filter filter = { .since_ms = past->since_ms,
                                           .until_ms = past->until_ms,
                                           .picks = picks,
                                           .pick_count = list_picks(past, service, picks) };
    int code = past->since_ms > 1 ? read_before(reading) : 0;
    if (code == 0)
        code = journal_query(reading->journal, &filter, take, reading, reading->why);
    history_end(reading->fold, past->until_ms / 1000);
    return code;
}

static int write_down(const struct history *history)
{
    struct buf text = { 0 };
    int fd = memfd_create("history", MFD_CLOEXEC);
    if (fd < 0)
        return -errno;
    history_print(&text, history);
    int code = text.overflowed ? ERROR_LIMIT : 0;
    for (size_t done = 0; code == 0 && done < text.length;) {
        ssize_t n = write(fd, text.data + done, text.length - done);
        if (n < 0 && errno != EINTR)
            code = -errno;
        done += n > 0 ? (size_t)n : 0;
    }
    buf_close(&text);
    if (code < 0)
        close(fd);
    return code < 0 ? code : fd;
}

int past_open(struct cli *cli, const char *journal, const struct past *past, struct why *why)
{
    struct history history = { 0 };
    struct history_fold fold = {
        .arena = &cli->arena, .out = &history, .check = past->check, .part = past->part, .breaker = past->breaker
    };
    struct reading reading = { journal, past, &fold, why };
    int code = access(journal, F_OK) == 0 ? read_past(cli, &reading) : -errno;
    if (code < 0)
        return *why->text ? code : why_say(why, code, "'%s': %s", journal, error_text(code));
    code = write_down(&history);
    return code < 0 ? why_say(why, code, "%s", error_text(code)) : code;
}
