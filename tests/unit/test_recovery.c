/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_recovery - runbooks: what is asked of their settings, words of a command, the table that a rehearsal lives by,
 * its document from begin to end, and when it is due. */
#include "core/model/recovery.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/base/file.h"
#include "core/base/text.h"
#include "tests/tap.h"

#define MINUTE INT64_C(60000)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

/* ---- settings */

static void test_steps(void)
{
    static const struct {
        struct runbook_step step;
        int64_t within_ms;
        const char *why; /* NULL: it is good */
    } table[] = {
        { { .kinds = { [STEP_DO] = "call" } }, 0, NULL },
        { { .kinds = { [STEP_COMMAND] = "/bin/true" } }, HOUR, NULL },
        { { .kinds = { [STEP_COMMAND] = "/bin/true" }, .within_ms = MINUTE }, MINUTE, NULL },
        { { .kinds = { [STEP_CHECK] = "web/http" } }, 10 * MINUTE, NULL },
        { { .kinds = { [STEP_DRILL] = "shop" } }, 0, NULL },
        { { .name = "nothing" }, 0, "one of do, command" },
        { { .kinds = { [STEP_DO] = "call", [STEP_DRILL] = "shop" } }, 0, "one of do, command" },
        { { .kinds = { [STEP_COMMAND] = "true" } }, 0, "whole path" },
        { { .kinds = { [STEP_COMMAND] = "/bin/echo 'x" } }, 0, "quote" },
        { { .kinds = { [STEP_DO] = "call" }, .within_ms = MINUTE }, 0, "'within' belongs" },
        { { .kinds = { [STEP_DRILL] = "shop" }, .within_ms = MINUTE }, 0, "'within' belongs" },
    };
    struct arena arena = { 0 };
    char text[RUNBOOK_TEXT_MAX + 2];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    struct runbook_step wordy = { .kinds = { [STEP_DO] = text } };
    struct why too_long = { "" };
    tap_ok(runbook_step_complete(&wordy, &arena, &too_long) != 0 && strstr(too_long.text, "longer than"),
           "a long text");
    text[RUNBOOK_TEXT_MAX] = '\0';
    tap_is_int(runbook_step_complete(&wordy, &arena, NULL), 0, "one as long as may be");
    tap_is_int((long)strlen(wordy.name), 60, "has a short name");
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct runbook_step step = table[i].step;
        struct why why = { "" };
        int code = runbook_step_complete(&step, &arena, &why);
        tap_ok((code == 0) == (table[i].why == NULL), "step %zu is judged", i);
        if (table[i].why)
            tap_ok(strstr(why.text, table[i].why) != NULL, "for its reason: %s", why.text);
        else
            tap_ok(step.within_ms == table[i].within_ms && step.name, "and completed");
    }
    arena_close(&arena);
}

static void test_whole(void)
{
    struct runbook_step people[] = { { .name = "call", .kinds = { [STEP_DO] = "call" } } };
    struct runbook_step ours[] = { { .name = "run", .kinds = { [STEP_COMMAND] = "/bin/true" } } };
    const struct {
        struct runbook runbook;
        const struct tier *tier;
        const char *why;
        int64_t rto_ms, rpo_ms, overdue_ms;
    } table[] = {
        { { .steps = people, .step_count = 1 }, &runbook_tiers[0], NULL, 15 * MINUTE, 5 * MINUTE, 370 * DAY },
        { { .steps = people, .step_count = 1, .on = "quarterly" },
          &runbook_tiers[1],
          NULL,
          2 * HOUR,
          30 * MINUTE,
          92 * DAY + 92 * DAY / 8 },
        { { .steps = people, .step_count = 1, .on = "monthly", .rto_ms = HOUR },
          &runbook_tiers[2],
          NULL,
          HOUR,
          4 * HOUR,
          31 * DAY + 31 * DAY / 8 },
        { { .steps = people, .step_count = 1, .rto_ms = HOUR, .overdue_ms = DAY }, NULL, NULL, HOUR, 0, DAY },
        { { .steps = people, .step_count = 1 }, NULL, "no target", 0, 0, 0 },
        { { .step_count = 0 }, &runbook_tiers[0], "no steps", 0, 0, 0 },
        { { .steps = people, .step_count = 1, .on = "often" }, &runbook_tiers[0], "often", 0, 0, 0 },
        { { .steps = people, .step_count = 1, .on = "daily", .start = "by itself" },
          &runbook_tiers[0],
          "by people",
          0,
          0,
          0 },
        { { .steps = ours, .step_count = 1, .start = "by itself" }, &runbook_tiers[0], "without a calendar", 0, 0, 0 },
        { { .steps = ours, .step_count = 1, .on = "daily", .start = "by itself" },
          &runbook_tiers[2],
          NULL,
          24 * HOUR,
          4 * HOUR,
          DAY + DAY / 8 },
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct runbook runbook = table[i].runbook;
        struct why why = { "" };
        runbook.name = "shop-down";
        runbook.start = runbook.start ? runbook.start : "by hand";
        int code = runbook_complete(&runbook, table[i].tier, &why);
        if (table[i].why) {
            tap_ok(code != 0 && strstr(why.text, table[i].why), "runbook %zu is refused: %s", i, why.text);
            continue;
        }
        tap_is_int(code, 0, "it is taken");
        tap_ok(runbook.rto_ms == table[i].rto_ms && runbook.rpo_ms == table[i].rpo_ms &&
                   runbook.overdue_ms == table[i].overdue_ms,
               "with targets and times");
    }
}

static void test_words(void)
{
    static const struct {
        const char *line, *want[5];
    } table[] = {
        { "/bin/true", { "/bin/true" } },
        { "  /bin/echo\ta  b ", { "/bin/echo", "a", "b" } },
        { "/bin/sh -c 'echo \"x y\"'", { "/bin/sh", "-c", "echo \"x y\"" } },
        { "/bin/echo \"it's\" ''", { "/bin/echo", "it's", "" } },
        { "/bin/echo a'b c'd", { "/bin/echo", "ab cd" } },
    };
    struct arena arena = { 0 };
    struct why why;
    char many[2 * RUNBOOK_WORDS_MAX + 3];
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        const char *const *words = runbook_words(&arena, table[i].line, &why);
        size_t n = 0;
        while (words && words[n] && table[i].want[n] && strcmp(words[n], table[i].want[n]) == 0)
            n++;
        tap_ok(words && !words[n] && !table[i].want[n], "%s", table[i].line);
    }
    for (size_t i = 0; i < RUNBOOK_WORDS_MAX + 1; i++)
        memcpy(many + 2 * i, "x ", 3);
    tap_ok(!runbook_words(&arena, many, &why) && strstr(why.text, "more than"), "too many words");
    many[2 * RUNBOOK_WORDS_MAX] = '\0';
    tap_ok(runbook_words(&arena, many, &why) != NULL, "as many as may be");
    arena_close(&arena);
}

/* ---- the table: every cell */

static void test_table(void)
{
    /* rows: states; columns: start, on disk (people), on disk, lost, step, end, kept; '-': that can't be */
    static const char *const want[RECOVERY_STATE_COUNT] = {
        [RECOVERY_IDLE] = "N------",    [RECOVERY_NOTED] = "-ARD-E-",    [RECOVERY_ASKED] = "----NE-",
        [RECOVERY_RUNNING] = "---DNE-", [RECOVERY_DOUBTFUL] = "----NE-", [RECOVERY_ENDING] = "------I",
    };
    static const char letters[] = "INARDE-";
    for (unsigned s = 0; s < RECOVERY_STATE_COUNT; s++)
        for (unsigned e = 0; e < RECOVERY_EVENT_COUNT; e++)
            tap_ok(letters[recovery_next((enum recovery_state)s, (enum recovery_event)e)] == want[s][e],
                   "%s at event %u", recovery_state_name((enum recovery_state)s), e);
}

/* ---- the document */

static struct runbook_step four[] = {
    { .name = "call", .kinds = { [STEP_DO] = "call" } },
    { .name = "run", .kinds = { [STEP_COMMAND] = "/bin/true" }, .within_ms = HOUR },
    { .name = "restore", .kinds = { [STEP_DRILL] = "shop" } },
    { .name = "serve", .kinds = { [STEP_CHECK] = "web/http" }, .within_ms = HOUR },
};

static json_t *new_doc(void)
{
    const struct runbook runbook = {
        .name = "shop-down", .rto_ms = HOUR, .rpo_ms = HOUR, .steps = four, .step_count = 4
    };
    return recovery_open(&runbook, "0123456789abcdef", "uid:0", 1000000);
}

/* Sets the current step to a state; it ended so long after the begin of all. */
static void put(json_t *doc, const char *state, int64_t after_ms)
{
    json_t *step = json_deep_copy(recovery_step(doc));
    json_object_set_new(step, "state", json_string(state));
    if (after_ms)
        json_object_set_new(step, "ended_ms", json_integer(1000000 + after_ms));
    if (recovery_step_kind(step) == STEP_DRILL)
        json_object_set_new(step, "rpo_ms", json_integer(50 * MINUTE));
    recovery_put_step(doc, step);
    json_decref(step);
}

static void test_document(void)
{
    static const struct {
        const char *states[4];
        int64_t end_ms;
        const char *result, *phase, *reason;
    } table[] = {
        { { "done", "done", "done", "done" }, HOUR, "passed", "", "" },
        { { "done", "skipped", "done", "done" }, HOUR, "passed", "", "" },
        { { "skipped", "skipped", "skipped", "skipped" }, HOUR, "failed", "", "nothing was done" },
        { { "done", "done", "done", "done" }, HOUR + 1, "failed", "", "recovery took" },
        { { "done", "failed" }, MINUTE, "failed", "run", "not done" },
        { { "done", "done", "cancelled" }, MINUTE, "cancelled", "restore", "" },
        { { "done", "unknown" }, 0, "running", NULL, "" },
        { { "asked" }, 0, "running", NULL, "" },
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        json_t *doc = new_doc();
        tap_ok(recovery_is_good(doc) && recovery_step_count(doc) == 4, "a document");
        for (size_t k = 0; k < 4 && table[i].states[k]; k++)
            put(doc, table[i].states[k], k == 3 || !table[i].states[k + 1] ? table[i].end_ms : MINUTE);
        tap_is_text(recovery_result(doc), table[i].result, "its result");
        tap_ok((recovery_step(doc) != NULL) == (strcmp(table[i].result, "running") == 0), "a step is open or none");
        json_t *evidence = recovery_evidence(doc);
        const char *phase = json_string_value(json_object_get(evidence, "phase"));
        const char *reason = json_string_value(json_object_get(evidence, "reason"));
        tap_ok(!table[i].phase || strcmp(phase ? phase : "", table[i].phase) == 0, "the step where it ended");
        tap_ok(*table[i].reason ? reason && strstr(reason, table[i].reason) : !reason, "and why");
        json_decref(evidence);
        json_decref(doc);
    }
}

static void test_targets(void)
{
    json_t *doc = new_doc();
    for (int i = 0; i < 4; i++)
        put(doc, "done", MINUTE);
    json_object_set_new(doc, "rpo_ms", json_integer(49 * MINUTE));
    tap_is_text(recovery_result(doc), "failed", "data that is too old is a failure");
    json_t *evidence = recovery_evidence(doc);
    tap_ok(strstr(json_string_value(json_object_get(evidence, "reason")), "50 min old"), "which says so");
    tap_ok(json_is_false(json_object_get(json_object_get(evidence, "rpo"), "met")), "in its figures, too");
    tap_ok(json_is_true(json_object_get(json_object_get(evidence, "rto"), "met")), "recovery was fast enough");
    json_decref(evidence);
    json_object_set_new(doc, "rpo_ms", json_integer(0));
    tap_is_text(recovery_result(doc), "passed", "without a target any age is good");
    json_decref(doc);
}

static void test_bad_documents(void)
{
    static const char *const keys[] = { "runbook", "id", "rto_ms", "steps" };
    static const char *const step_keys[] = { "number", "name", "kind", "what", "state" };
    tap_ok(!recovery_is_good(NULL) && !recovery_step(NULL), "nothing is no document");
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        json_t *doc = new_doc();
        json_object_del(doc, keys[i]);
        tap_ok(!recovery_is_good(doc), "one without %s is none", keys[i]);
        json_decref(doc);
    }
    for (size_t i = 0; i < sizeof step_keys / sizeof step_keys[0]; i++) {
        json_t *doc = new_doc(), *step = json_deep_copy(recovery_step(doc));
        json_object_del(json_array_get(json_object_get(doc, "steps"), 2), step_keys[i]);
        tap_ok(!recovery_is_good(doc), "nor one with a step without %s", step_keys[i]);
        json_object_del(step, step_keys[i]);
        json_object_set_new(step, "note", json_string("x"));
        recovery_put_step(doc, step);
        tap_ok(!json_object_get(recovery_step(doc), "note"), "and such a step is not taken");
        json_decref(step);
        json_decref(doc);
    }
}

/* ---- the calendar */

static int64_t at(const char *text)
{
    struct tm tm = { .tm_isdst = -1 };
    if (!text)
        return 0;
    strptime(text, "%Y-%m-%d %H:%M", &tm);
    return (int64_t)mktime(&tm) * 1000;
}

static void test_due(void)
{
    static const struct {
        const char *on, *known, *held;
        int64_t remind_ms;
        const char *want;
    } table[] = {
        { "monthly", "2026-11-21 10:00", NULL, 7 * DAY, "2026-12-01 04:00:00" },
        { "monthly", "2026-11-29 10:00", NULL, 7 * DAY, "2026-12-01 04:00:00" }, /* known is not held */
        { "monthly", "2026-11-01 10:00", "2026-12-03 10:00", 7 * DAY, "2027-01-01 04:00:00" },
        { "monthly", "2026-11-01 10:00", "2026-11-28 10:00", 7 * DAY, "2027-01-01 04:00:00" }, /* a few days early */
        { "monthly", "2026-11-01 10:00", "2026-11-20 10:00", 7 * DAY, "2026-12-01 04:00:00" }, /* too early */
        { "quarterly", "2026-01-01 00:00", "2026-09-30 10:00", 7 * DAY, "2027-01-01 04:00:00" },
        { "yearly", "2026-01-01 00:00", "2026-06-30 10:00", 7 * DAY, "2027-01-01 04:00:00" },
        { "weekly", "2026-11-01 00:00", "2026-11-16 10:00", 7 * DAY,
          "2026-11-22 04:00:00" }, /* half a period at most */
        { "weekly", "2026-11-01 00:00", "2026-11-20 10:00", 7 * DAY, "2026-11-29 04:00:00" },
    };
    char text[TEXT_TIME_SIZE];
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        int64_t due_ms = recovery_due_ms(table[i].on, at(table[i].known), at(table[i].held), table[i].remind_ms);
        tap_is_text(text_format_local(text, due_ms), table[i].want, table[i].on);
    }
    tap_ok(recovery_due_ms(NULL, at("2026-11-21 10:00"), 0, 0) == INT64_MAX, "never, without a calendar");
    tap_ok(recovery_early_ms("quarterly", 7 * DAY) == 7 * DAY, "called to mind a week before");
    tap_ok(recovery_early_ms("daily", 7 * DAY) == DAY / 2, "but not all the time");
}

/* ---- documents */

static void test_written(void)
{
    static const struct drill_field *const tables[] = { runbook_fields, runbook_step_fields, tier_fields };
    struct arena arena = { 0 };
    const char *top = getenv("top_srcdir");
    char *text = NULL, name[64];
    size_t length;
    const char *path = file_join(&arena, top ? top : ".", "doc/recovery.md");
    tap_is_int(file_read(&arena, path, 1 << 20, &text, &length), 0, "doc/recovery.md is there");
    for (size_t i = 0; text && i < sizeof tables / sizeof tables[0]; i++)
        for (const struct drill_field *field = tables[i]; field->name; field++) {
            snprintf(name, sizeof name, "`%s`", field->name);
            tap_ok(strstr(text, name) != NULL, "it names %s", name);
        }
    arena_close(&arena);
}

int main(void)
{
    setenv("TZ", "Europe/Berlin", 1);
    tzset();
    test_steps();
    test_whole();
    test_words();
    test_table();
    test_document();
    test_targets();
    test_bad_documents();
    test_due();
    test_written();
    return tap_done();
}
