/* SPDX-License-Identifier: GPL-3.0-or-later */
/* journal_peer - the second verifier, which knows nothing but the documented format (tests/peers/journal_verify.py):
 * what it says of a test's folder must be what verify reports. */
#ifndef TESTS_JOURNAL_PEER_H
#define TESTS_JOURNAL_PEER_H

#include "tests/journal.h"
#include "tests/tap.h"

static inline bool has_python(void)
{
    return access("/usr/bin/python3", X_OK) == 0;
}

static inline void ask_peer(struct buf *out, const char *arguments)
{
    char bytes[4096];
    const char *top = getenv("top_srcdir");
    struct buf command = { 0 };
    buf_print(&command, "/usr/bin/python3 '%s/tests/peers/journal_verify.py' %s '%s' 2>&1", top != NULL ? top : ".",
              arguments, folder);
    FILE *peer = popen(command.data, "r");
    size_t n;
    while (peer != NULL && (n = fread(bytes, 1, sizeof bytes, peer)) > 0)
        buf_add(out, bytes, n);
    if (peer != NULL)
        pclose(peer);
    buf_close(&command);
}

/* What it would print for the report. */
static inline void print_report(struct buf *out, const struct journal_report *report)
{
    buf_print(out,
              "records %" PRIu64 " segments %" PRIu64 " first %" PRIu64 " last %" PRIu64
              " torn %d journal %s head %s seals %" PRIu64 " held %" PRIu64 "\n",
              report->records, report->segments, report->first_seq, report->last_seq, report->torn_tail,
              report->journal_id, report->head_hash, report->seals, report->seals_held);
    for (uint32_t i = 0; i < report->fault_count && i < 16; i++)
        buf_print(out, "fault %s %" PRIu64 " %s\n", report->faults[i].segment, report->faults[i].line,
                  report->faults[i].kind);
    buf_char(out, '\n');
}

static inline void compare_with_peer(const struct journal_report *report, const char *arguments, const char *what)
{
    struct buf ours = { 0 }, theirs = { 0 };
    if (!has_python()) {
        tap_skip(what, "no /usr/bin/python3");
        return;
    }
    print_report(&ours, report);
    ask_peer(&theirs, arguments);
    char text[160];
    snprintf(text, sizeof text, "the second verifier agrees: %s", what);
    tap_is_text(theirs.data, ours.data, text);
    buf_close(&ours);
    buf_close(&theirs);
}

#endif
