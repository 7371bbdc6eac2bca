/* SPDX-License-Identifier: GPL-3.0-or-later */
/* assert - what the restored must answer, row by row: a finding each, good or bad. The drill fails when one is bad, and
 * the first bad one is the reason; all are asked, so that the report is whole. Before those of the configuration comes
 * one of our own: something must have been restored at all. */
#include "core/drill/assert.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/digest.h"
#include "core/base/text.h"
#include "core/drill/format.h"
#include "core/drill/server.h"
#include "core/model/drill_smoke.h"
#include "core/model/range.h"

#define APP_MS 600000
#define ZONES_MS (14 * INT64_C(3600000)) /* the most that a time of an unknown zone is off by */

typedef bool (*ask_function)(struct run *run, const struct drill_assertion *a, struct finding *out);

bool assert_say(struct finding *out, bool good, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    text_visible(out->text, sizeof out->text, text, false);
    return good;
}

static bool needs_server(struct run *run, struct finding *out)
{
    return run->server != NULL || assert_say(out, false, "there is no server to ask: the backup is one of files");
}

/* ---- kinds of assertions ----------------------------------------------------------------------------------------- */

static bool in_range(const char *answer, const char *text, struct finding *out)
{
    struct range range;
    double value;
    if (text_number(answer, &value) != 0)
        return assert_say(out, false, "is '%s', which is no number", answer);
    if (range_parse(text, &range, NULL) != 0)
        return assert_say(out, false, "'%s' is no range", text);
    return range_alerts(&range, value) ? assert_say(out, false, "is %s, outside of %s", answer, text)
                                       : assert_say(out, true, "is %s, within %s", answer, text);
}

static bool ask_sql(struct run *run, const struct drill_assertion *a, struct finding *out)
{
    char answer[256];
    if (!needs_server(run, out))
        return false;
    if (server_ask(run, a->sql, answer, sizeof answer) != 0)
        return assert_say(out, false, "%s", answer);
    if (a->range)
        return in_range(answer, a->range, out);
    bool nothing = answer[0] == '\0' || strcmp(answer, "0") == 0 || strcmp(answer, "NULL") == 0;
    return assert_say(out, !nothing, "is '%s'", answer);
}

static bool ask_table(struct run *run, const struct drill_assertion *a, struct finding *out)
{
    char answer[256], question[512];
    int64_t rows;
    snprintf(question, sizeof question, "SELECT COUNT(*) FROM %s", a->table);
    if (!needs_server(run, out))
        return false;
    if (server_ask(run, question, answer, sizeof answer) != 0)
        return assert_say(out, false, "%s", answer);
    if (text_integer(answer, &rows) != 0)
        return assert_say(out, false, "its rows can't be counted: '%s'", answer);
    return assert_say(out, rows >= a->min_rows, "has %lld rows; at least %lld are wanted", (long long)rows,
                      (long long)a->min_rows);
}

/* Whether it is not older than that. Two that read alike, rounded, are told by what is between them. */
static bool say_age(struct finding *out, int64_t age_ms, int64_t most_ms, const char *old)
{
    char age[TEXT_DURATION_SIZE], most[TEXT_DURATION_SIZE], between[TEXT_DURATION_SIZE];
    text_format_age(age, age_ms > 0 ? age_ms : 0);
    text_format_age(most, most_ms);
    if (age_ms > most_ms && strcmp(age, most) == 0)
        return assert_say(out, false, "is %s and %s%s; at most %s is wanted", most,
                          text_format_age(between, age_ms - most_ms), old, most);
    return assert_say(out, age_ms <= most_ms, "is %s%s; at most %s is wanted", age, old, most);
}

static bool ask_fresh(struct run *run, const struct drill_assertion *a, struct finding *out)
{
    char answer[256], question[2048], age[TEXT_DURATION_SIZE];
    double seconds;
    if (!needs_server(run, out))
        return false;
    if (!run->server->epoch)
        return assert_say(out, false, "%s can't be asked for a time", run->server->name);
    const char *hole = strstr(run->server->epoch, "%s");
    snprintf(question, sizeof question, "%.*s%s%s", (int)(hole - run->server->epoch), run->server->epoch, a->fresh,
             hole + 2);
    if (server_ask(run, question, answer, sizeof answer) != 0)
        return assert_say(out, false, "%s", answer);
    if (text_number(answer, &seconds) != 0 || !(seconds > 0 && seconds < 1e11))
        return assert_say(out, false, "gives no time: '%s'", answer);
    int64_t at_ms = (int64_t)(seconds * 1000), age_ms = run_asked_at_ms(run) - at_ms;
    int64_t most_ms = a->within_ms == 0 && a->loose ? run->config->rpo_ms + ZONES_MS : a->within_ms;
    if (age_ms < -ZONES_MS)
        return assert_say(out, false, "lies %s in the future: ask for a time at which something was written",
                          text_format_age(age, -age_ms));
    if (at_ms > run->outcome->data_wall_ms && !a->loose)
        run->outcome->data_wall_ms = at_ms;
    if (most_ms == 0)
        return assert_say(out, true, "is %s old", text_format_age(age, age_ms > 0 ? age_ms : 0));
    return say_age(out, age_ms, most_ms, " old");
}

/* By descriptors from the top down, never through a link. */
static int open_below(const char *top, char *path)
{
    int at = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    char *rest = path;
    for (char *name = strtok_r(path, "/", &rest); name && at >= 0; name = strtok_r(NULL, "/", &rest)) {
        bool last = *rest == '\0';
        int next = openat(at, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | (last ? 0 : O_DIRECTORY));
        int code = errno;
        close(at);
        at = next;
        errno = code;
    }
    return at >= 0 ? at : -errno;
}

static bool ask_file(struct run *run, const struct drill_assertion *a, struct finding *out)
{
    unsigned char digest[DIGEST_SIZE];
    char hex[DIGEST_HEX_SIZE], *path = arena_text(&run->arena, a->file);
    struct stat st;
    int fd = open_below(run->data, path);
    if (fd < 0)
        return assert_say(out, false, "is not there: %s", error_text(fd));
    bool good = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
    int code = good && a->sha256 ? digest_file(fd, 0, digest) : 0;
    close(fd);
    if (!good || code != 0)
        return assert_say(out, false, "%s", good ? error_text(code) : "is no regular file");
    if (!a->sha256)
        return assert_say(out, true, "is there, %lld bytes", (long long)st.st_size);
    return strcmp(digest_hex(digest, hex), a->sha256) == 0
               ? assert_say(out, true, "is there, with the SHA-256 that is wanted")
               : assert_say(out, false, "has the SHA-256 %s", hex);
}

static bool ask_key(struct run *run, const struct drill_assertion *a, struct finding *out)
{
    char answer[256], question[512];
    if (!needs_server(run, out))
        return false;
    snprintf(question, sizeof question, "EXISTS %s", a->key);
    if (server_ask(run, question, answer, sizeof answer) != 0)
        return assert_say(out, false, "%s", answer);
    return strcmp(answer, "1") == 0 ? assert_say(out, true, "is there") : assert_say(out, false, "is not there");
}

static bool ask_app(struct run *run, const struct drill_assertion *a, struct finding *out)
{
    struct tool tool = { .argv = { a->app }, .phase = PHASE_ASSERT };
    struct buf said = { .max_bytes = 4096 };
    tool.env[0] = arena_print(&run->arena, "BELFRY_DRILL_FOLDER=%s", run->data);
    tool.env[1] = arena_print(&run->arena, "BELFRY_DRILL_DATABASE=%s", run->config->database);
    if (run->server)
        tool.env[2] = arena_print(&run->arena, "BELFRY_DRILL_SOCKET=%s", server_socket(run));
    bool good = tool_run(run, &tool, &said, APP_MS) == 0;
    if (good)
        assert_say(out, true, "%.150s", said.length ? said.data : "ended with 0");
    else
        assert_say(out, false, "%s", tool.pid > 0 ? tool_complaint(run, &tool) : run->outcome->why);
    buf_close(&said);
    return good;
}

static ask_function find_ask(const struct drill_assertion *a)
{
    const struct {
        const char *subject;
        ask_function ask;
    } table[] = { { a->sql, ask_sql },           { a->table, ask_table },
                  { a->fresh, ask_fresh },       { a->file, ask_file },
                  { a->key, ask_key },           { a->app, ask_app },
                  { a->counts, compare_counts }, { a->checksums, compare_checksums } };
    size_t i = 0;
    while (!table[i].subject) /* drill_assertion_check() has seen that one is there */
        i++;
    return table[i].ask;
}

/* ---- all of them ------------------------------------------------------------------------------------------------- */

static bool is_any_file_there(struct run *run, struct finding *out)
{
    int fd = open(run->data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct scratch_sum sum = fd >= 0 ? scratch_measure(fd) : (struct scratch_sum){ 0 };
    if (fd >= 0)
        close(fd);
    run->outcome->tables = sum.files;
    return sum.files > 0 ? assert_say(out, true, "%u files and folders", sum.files)
                         : assert_say(out, false, "nothing was restored");
}

static bool is_anything_there(struct run *run, struct finding *out)
{
    char answer[256];
    text_copy(out->name, sizeof out->name, "anything restored");
    if (!run->server)
        return is_any_file_there(run, out);
    bool asked = server_ask(run, run->server->tables, answer, sizeof answer) == 0;
    if (!asked && strstr(answer, "database") && strstr(answer, "does not exist")) /* a dump of several */
        return assert_say(out, false,
                          "no database '%s' was restored: write database = \"...\"; for one that the dump holds",
                          run->config->database);
    if (!asked)
        return assert_say(out, false, "%s", answer);
    if (text_integer(answer, &run->outcome->tables) != 0)
        run->outcome->tables = 0;
    const char *what = run->server == &server_redis ? "keys" : "tables";
    return run->outcome->tables > 0 ? assert_say(out, true, "%lld %s", (long long)run->outcome->tables, what)
                                    : assert_say(out, false, "there are no %s: the backup is empty", what);
}

/* A table whose files are not all there is listed, and can't be read. */
static bool do_all_open(struct run *run, struct finding *out)
{
    char answer[256];
    text_copy(out->name, sizeof out->name, "every table opens");
    if (server_ask(run, run->server->broken, answer, sizeof answer) != 0)
        return assert_say(out, false, "%s", answer);
    bool good = answer[0] == '\0' || strcmp(answer, "NULL") == 0;
    return good ? assert_say(out, true, "yes") : assert_say(out, false, "these don't: %s", answer);
}

/* The data must not be older than the RPO, as far as the backup and its data tell. */
static bool is_within_rpo(struct run *run, struct finding *out)
{
    struct outcome *outcome = run->outcome;
    char age[TEXT_DURATION_SIZE], most[TEXT_DURATION_SIZE];
    int64_t at_ms = outcome->data_wall_ms ? outcome->data_wall_ms : outcome->backup_wall_ms;
    int64_t age_ms = run->started_wall_ms - at_ms;
    text_copy(out->name, sizeof out->name, "age of the data (RPO)");
    if (age_ms < -ZONES_MS)
        return assert_say(out, false, "is not known: the backup is dated %s in the future",
                          text_format_age(age, -age_ms));
    text_format_age(age, age_ms > 0 ? age_ms : 0);
    text_format_age(most, run->config->rpo_ms);
    if (!run_takes_newest(run))
        return assert_say(out, true, "is %s; not held against %s: another backup than the newest was wanted", age,
                          most);
    return say_age(out, age_ms, run->config->rpo_ms, "");
}

static struct finding *next_finding(struct run *run)
{
    return &run->outcome->findings[run->outcome->finding_count++];
}

static void note(struct run *run, struct finding *finding, bool good, const struct finding **first_bad)
{
    (void)run;
    finding->good = good;
    if (!good && !*first_bad)
        *first_bad = finding;
}

static void ask_rows(struct run *run, const struct drill_assertion *rows, uint32_t count, const struct finding **bad)
{
    for (uint32_t i = 0; i < count; i++) {
        struct finding *finding = next_finding(run);
        text_visible(finding->name, sizeof finding->name, rows[i].name ? rows[i].name : "assertion", false);
        note(run, finding, find_ask(&rows[i])(run, &rows[i], finding), bad);
    }
}

int assert_all(struct run *run)
{
    uint32_t count;
    const struct drill_assertion *smoke = drill_smoke_find(run->config->smoke, &count);
    const struct finding *bad = NULL;
    run_begin(run, PHASE_ASSERT);
    struct finding *finding = next_finding(run);
    note(run, finding, is_anything_there(run, finding), &bad);
    if (run->server && run->server->broken) {
        finding = next_finding(run);
        note(run, finding, do_all_open(run, finding), &bad);
    }
    ask_rows(run, smoke, count, &bad);
    ask_rows(run, run->config->assertions, run->config->assertion_count, &bad);
    finding = next_finding(run);
    note(run, finding, is_within_rpo(run, finding), &bad);
    return bad ? run_fail(run, PHASE_ASSERT, "%s: %s", bad->name, bad->text) : 0;
}
