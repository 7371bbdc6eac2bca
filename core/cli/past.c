/* SPDX-License-Identifier: GPL-3.0-or-later */
/* past - the journal folded into a history. Of what was before the time only the last records matter that say in which
 * state it began: they are looked for from the end. */
#include "core/cli/past.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/journal/journal.h"
#include "core/model/history.h"

/* Records of the check, and of all its instances, that may hide each other. */
#define LAST_OF_CHECK 64
#define LAST_OF_PARTS 4096

static int take(void *context, const struct journal_record *record)
{
    const struct history_record from = { record->type, record->line, record->length, record->wall_ms };
    history_add(context, &from);
    return 0;
}

/* How it was when the time began. The marks of then are not in the picture. */
static int read_before(const char *journal, const struct past *past, struct history_fold *fold, struct why *why)
{
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
        code = journal_query(journal, &filter, take, fold, why);
    }
    return code;
}

static int read_past(const char *journal, const struct past *past, struct history_fold *fold, struct why *why)
{
    const struct journal_filter filter = { .since_ms = past->since_ms, .until_ms = past->until_ms };
    int code = past->since_ms > 1 ? read_before(journal, past, fold, why) : 0;
    if (code == 0)
        code = journal_query(journal, &filter, take, fold, why);
    history_end(fold, past->until_ms / 1000);
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
    int code = access(journal, F_OK) == 0 ? read_past(journal, past, &fold, why) : -errno;
    if (code < 0)
        return *why->text ? code : why_say(why, code, "'%s': %s", journal, error_text(code));
    code = write_down(&history);
    return code < 0 ? why_say(why, code, "%s", error_text(code)) : code;
}
