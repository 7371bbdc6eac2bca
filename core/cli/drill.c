/* SPDX-License-Identifier: GPL-3.0-or-later */
/* belfry drill - restore drills: list, plan, run, cancel, report. The daemon runs them; `run` follows one by asking it
 * again and again, and `report` (drill_report.c) reads the journal. Whether a name is that of a drill or of a runbook
 * (recovery.c) says the daemon's answer. */
#include "core/cli/drill.h"

#include <string.h>
#include <time.h>

#include "core/base/clock.h"
#include "core/base/text.h"
#include "core/cli/board.h"
#include "core/cli/control.h"

#define POLL_MS 300

struct args {
    const char *name, *backup;
    bool detach;
};

/* ---- asking ------------------------------------------------------------------------------------------------------ */

static json_t *ask(struct cli *cli, const char *action, const struct args *args, int *status)
{
    json_t *request =
        json_pack("{ss ss ss* ss*}", "verb", "drill", "action", action, "name", args->name, "backup", args->backup);
    return control_want(cli, request, CONTROL_TIMEOUT_MS, status);
}

/* A new reference to the drill's view; NULL with the exit status. */
static json_t *look(struct cli *cli, const char *name, int *status)
{
    static const struct args none = { 0 };
    json_t *answer = ask(cli, "list", &none, status), *drill, *found = NULL;
    size_t i;
    json_array_foreach(control_list(answer, "drills"), i, drill)
    {
        if (strcmp(control_text(cli, drill, "name"), name) == 0)
            found = json_incref(drill);
    }
    if (answer && !found)
        *status = cli_fail(cli, "drill '%s' is not in the configuration any more", name);
    json_decref(answer);
    return found;
}

/* ---- words ------------------------------------------------------------------------------------------------------- */

const char *drill_progress(struct cli *cli, const char *phase, int64_t ms, const json_t *figures)
{
    char rate[TEXT_VALUE_SIZE], left[TEXT_DURATION_SIZE], took[TEXT_DURATION_SIZE];
    if (!json_object_get(figures, "percent"))
        return arena_print(&cli->arena, "%s, %s so far", phase, text_format_age(took, ms));
    text_format_value(rate, (double)control_integer(figures, "rate"), "B");
    text_format_age(left, control_integer(figures, "left_ms"));
    return arena_print(&cli->arena, "%s %lld %%, %s/s, %s left", phase, (long long)control_integer(figures, "percent"),
                       rate, left);
}

/* Of a drill in the daemon's answer. */
static const char *tell_progress(struct cli *cli, const json_t *progress)
{
    return drill_progress(cli, control_text(cli, progress, "phase"), control_integer(progress, "ms"), progress);
}

static enum style result_style(const char *result)
{
    return strcmp(result, "passed") == 0                                       ? STYLE_OK
           : strcmp(result, "failed") == 0 || strcmp(result, "abandoned") == 0 ? STYLE_CRITICAL
                                                                               : STYLE_PLAIN;
}

static void print_phases(struct cli *cli, const json_t *evidence)
{
    struct table table = { .columns = 2, .indent = 2 };
    size_t i;
    json_t *phase;
    json_array_foreach(control_list(evidence, "phases"), i, phase)
    {
        table_add(&table, STYLE_PLAIN, control_text(cli, phase, "name"));
        table_add(&table, STYLE_PLAIN, arena_print(&cli->arena, "%.2f s", (double)control_integer(phase, "ms") / 1000));
    }
    table_print(&table, &cli->term, &cli->out);
    table_close(&table);
}

static void print_findings(struct cli *cli, const json_t *evidence)
{
    struct table table = { .columns = 3, .indent = 2 };
    size_t i;
    json_t *one;
    json_array_foreach(control_list(evidence, "assertions"), i, one)
    {
        bool good = control_flag(one, "good");
        table_add(&table, good ? STYLE_OK : STYLE_CRITICAL, good ? "ok" : "FAILED");
        table_add(&table, STYLE_PLAIN, control_text(cli, one, "name"));
        table_add(&table, STYLE_PLAIN, control_text(cli, one, "text"));
    }
    table_print(&table, &cli->term, &cli->out);
    table_close(&table);
}

const char *drill_time(struct cli *cli, int64_t ms)
{
    char text[TEXT_DURATION_SIZE];
    if (ms >= 0 && ms < 60000)
        return arena_print(&cli->arena, "%.1f s", (double)ms / 1000);
    return arena_text(&cli->arena, text_format_age(text, ms));
}

/* What failed has not recovered, however soon it ended. */
static void print_recovery(struct cli *cli, const json_t *evidence, bool good)
{
    const json_t *target = json_object_get(evidence, "rto");
    if (!target)
        return;
    const char *took = drill_time(cli, control_integer(target, "ms"));
    char most[TEXT_DURATION_SIZE];
    text_format_age(most, control_integer(target, "target_ms"));
    if (good || !control_flag(target, "met"))
        buf_print(&cli->out, "  recovery took: %s of %s%s\n", took, most,
                  control_flag(target, "met") ? "" : ", missed");
    else
        buf_print(&cli->out, "  ended after: %s\n", took);
}

void drill_print_targets(struct cli *cli, const json_t *evidence)
{
    const json_t *target = json_object_get(evidence, "rpo");
    char most[TEXT_DURATION_SIZE];
    text_format_age(most, control_integer(target, "target_ms"));
    print_recovery(cli, evidence, strcmp(control_text(cli, evidence, "result"), "passed") == 0);
    if (target)
        buf_print(&cli->out, "  age of the data: %s of %s%s\n", drill_time(cli, control_integer(target, "ms")), most,
                  control_flag(target, "met") ? "" : ", missed");
}

static void print_room(struct cli *cli, const json_t *evidence)
{
    const json_t *room = json_object_get(evidence, "room");
    char need[TEXT_VALUE_SIZE], have[TEXT_VALUE_SIZE];
    text_format_value(need, (double)control_integer(room, "disk_needed"), "B");
    text_format_value(have, (double)control_integer(room, "disk_free"), "B");
    buf_print(&cli->out, "  disk: about %s needed, %s free\n", need, have);
    text_format_value(need, (double)control_integer(room, "memory_needed"), "B");
    text_format_value(have, (double)control_integer(room, "memory_free"), "B");
    buf_print(&cli->out, "  memory: about %s needed, %s free\n", need, have);
}

static void print_backup(struct cli *cli, const json_t *evidence)
{
    const json_t *backup = json_object_get(evidence, "backup");
    char size[TEXT_VALUE_SIZE];
    if (!*control_text(cli, backup, "written")) { /* it was not opened */
        buf_print(&cli->out, "  backup: %s\n", control_text(cli, backup, "path"));
        return;
    }
    text_format_value(size, (double)control_integer(backup, "bytes"), "B");
    buf_print(&cli->out, "  backup: %s (%s, written %s)%s%s\n", control_text(cli, backup, "path"), size,
              control_text(cli, backup, "written"), *control_text(cli, backup, "format") ? ", " : "",
              control_text(cli, backup, "format"));
    if (*control_text(cli, backup, "id"))
        buf_print(&cli->out, "  id: %s\n", control_text(cli, backup, "id"));
    if (*control_text(cli, backup, "sha256"))
        buf_print(&cli->out, "  sha256: %s\n", control_text(cli, backup, "sha256"));
}

/* What was fetched streams into what restores: its rate is that of the slower of the two. */
static void print_fetch(struct cli *cli, const json_t *evidence)
{
    const json_t *fetch = json_object_get(evidence, "fetch");
    int64_t bytes = control_integer(fetch, "bytes"), ms = control_integer(fetch, "ms");
    char size[TEXT_VALUE_SIZE], rate[TEXT_VALUE_SIZE];
    if (!fetch)
        return;
    text_format_value(size, (double)bytes, "B");
    text_format_value(rate, (double)bytes * 1000 / (double)(ms > 0 ? ms : 1), "B");
    buf_print(&cli->out, "  fetched: %s in %.2f s, %s/s\n", size, (double)ms / 1000, rate);
}

static void print_questions(struct cli *cli, const json_t *evidence)
{
    size_t i;
    json_t *name;
    json_array_foreach(control_list(evidence, "questions"), i, name)
        buf_print(&cli->out, "  %s %s\n", i ? "     " : "asks:", json_string_value(name));
}

static int print_evidence(struct cli *cli, const json_t *evidence)
{
    const char *result = control_text(cli, evidence, "result");
    bool good = strcmp(result, "passed") == 0 || strcmp(result, "planned") == 0;
    term_text(&cli->term, &cli->out, result_style(result), result);
    if (*control_text(cli, evidence, "reason"))
        buf_print(&cli->out, " in phase %s: %s", control_text(cli, evidence, "phase"),
                  control_text(cli, evidence, "reason"));
    buf_char(&cli->out, '\n');
    if (*control_text(cli, json_object_get(evidence, "backup"), "path"))
        print_backup(cli, evidence);
    if (*control_text(cli, evidence, "others"))
        buf_print(&cli->out, "  not restored by this drill: %s\n", control_text(cli, evidence, "others"));
    if (strcmp(result, "planned") == 0) {
        print_room(cli, evidence);
        print_questions(cli, evidence);
        buf_print(&cli->out, "  isolation: %s\n", control_text(cli, evidence, "isolation"));
        return EXIT_DONE;
    }
    print_fetch(cli, evidence);
    drill_print_targets(cli, evidence);
    print_phases(cli, evidence);
    print_findings(cli, evidence);
    return good ? EXIT_DONE : EXIT_FAILED;
}

/* ---- following --------------------------------------------------------------------------------------------------- */

static void show_line(struct cli *cli, const char *line)
{
    if (!cli->term.terminal || cli->globals.format == FORMAT_JSON)
        return;
    buf_print(&cli->out, "\r\033[K%s", line);
    cli_flush(cli);
}

/* The outcome of the run `id` (a new reference), NULL with the exit status. */
static json_t *follow(struct cli *cli, const char *name, const char *id, const char *where, int *status)
{
    const struct timespec pause = { 0, POLL_MS * 1000000L };
    json_t *outcome = NULL, *drill;
    while ((drill = look(cli, name, status)) != NULL) {
        const json_t *done = json_object_get(drill, where);
        bool idle = strcmp(control_text(cli, drill, "state"), "idle") == 0; /* else the next one is refused */
        bool ours = idle && done && strcmp(control_text(cli, done, "id"), id) == 0;
        bool running = strcmp(control_text(cli, drill, "id"), id) == 0;
        if (ours)
            outcome = json_incref((json_t *)(uintptr_t)done);
        else if (json_object_get(drill, "progress"))
            show_line(cli, tell_progress(cli, json_object_get(drill, "progress")));
        if (!ours && !running && idle)
            *status = cli_fail(cli, "the drill was abandoned: 'belfry journal query --type drill.' says why");
        json_decref(drill);
        if (ours || (!running && idle))
            break;
        nanosleep(&pause, NULL);
    }
    show_line(cli, "");
    return outcome;
}

static int start(struct cli *cli, const struct args *args, const char *action, const char *where)
{
    int status;
    json_t *answer = ask(cli, action, args, &status);
    if (!answer)
        return status;
    if (json_object_get(answer, "runbook")) {
        bool planned = json_object_get(answer, "planned") != NULL;
        status = planned ? recovery_print_plan(cli, answer) : recovery_follow(cli, answer, args->detach);
        json_decref(answer);
        return status;
    }
    if (args->detach) {
        if (cli->globals.format == FORMAT_JSON) {
            control_print(cli, answer);
            return EXIT_DONE;
        }
        json_decref(answer);
        buf_print(&cli->out, "drill '%s' was started; 'belfry drill list' shows how far it is\n", args->name);
        return EXIT_DONE;
    }
    const char *id = control_text(cli, answer, "id");
    json_t *outcome = follow(cli, args->name, id, where, &status);
    json_decref(answer);
    if (!outcome)
        return status;
    if (cli->globals.format == FORMAT_JSON) {
        const char *result = control_text(cli, outcome, "result");
        status = strcmp(result, "passed") == 0 || strcmp(result, "planned") == 0 ? EXIT_DONE : EXIT_FAILED;
        control_print(cli, outcome);
        return status;
    }
    status = print_evidence(cli, outcome);
    json_decref(outcome);
    return status;
}

static int run_run(struct cli *cli, const void *args)
{
    return start(cli, args, "run", "last");
}

static int run_plan(struct cli *cli, const void *args)
{
    return start(cli, args, "plan", "planned");
}

static int run_cancel(struct cli *cli, const void *raw)
{
    int status;
    const struct args *args = raw;
    json_t *answer = ask(cli, "cancel", args, &status);
    if (!answer)
        return status;
    if (cli->globals.format == FORMAT_JSON) {
        control_print(cli, answer);
        return EXIT_DONE;
    }
    bool runbook = json_object_get(answer, "runbook") != NULL;
    json_decref(answer);
    buf_print(&cli->out, "%s '%s' is being cancelled\n", runbook ? "runbook" : "drill", args->name);
    return EXIT_DONE;
}

/* ---- the list ---------------------------------------------------------------------------------------------------- */

static const char *age_of(struct cli *cli, const json_t *drill, const char *key, int64_t now_ms)
{
    int64_t at_ms = control_integer(drill, key);
    return at_ms ? arena_print(&cli->arena, "%s ago", condition_age(cli, at_ms, now_ms)) : "never";
}

static const char *due_of(struct cli *cli, const json_t *drill, int64_t now_ms)
{
    int64_t due_ms = control_integer(drill, "due");
    return due_ms ? condition_until(cli, due_ms, now_ms) : "by hand";
}

static int run_list(struct cli *cli, const void *raw)
{
    static const char *const titles[] = { "drill", "last", "began", "passed", "next", "now" };
    struct table table = { .columns = 6, .titles = titles };
    int64_t now_ms = clock_wall_ms();
    int status;
    size_t i;
    json_t *drill, *answer = ask(cli, "list", &(struct args){ 0 }, &status);
    (void)raw;
    if (!answer)
        return status;
    if (cli->globals.format == FORMAT_JSON) {
        control_print(cli, answer);
        return EXIT_DONE;
    }
    json_array_foreach(control_list(answer, "drills"), i, drill)
    {
        const json_t *progress = json_object_get(drill, "progress");
        const char *result = control_text(cli, drill, "result");
        table_add(&table, STYLE_PLAIN, control_text(cli, drill, "name"));
        table_add(&table, result_style(result), *result ? result : "-");
        table_add(&table, STYLE_PLAIN, age_of(cli, drill, "started", now_ms));
        table_add(&table, STYLE_PLAIN, age_of(cli, drill, "passed", now_ms));
        table_add(&table, STYLE_PLAIN, due_of(cli, drill, now_ms));
        table_add(&table, STYLE_PLAIN, progress ? tell_progress(cli, progress) : control_text(cli, drill, "state"));
    }
    if (table.count == 0 && json_array_size(control_list(answer, "runbooks")) == 0)
        buf_text(&cli->out, "no drill is configured: write drills: { NAME: { source = \"/backup/*.sql.gz\"; }; };\n");
    if (table.count > 0)
        table_print(&table, &cli->term, &cli->out);
    if (json_array_size(control_list(answer, "runbooks")) > 0) {
        buf_text(&cli->out, table.count > 0 ? "\n" : "");
        recovery_print_list(cli, control_list(answer, "runbooks"), now_ms);
    }
    table_close(&table);
    json_decref(answer);
    return EXIT_DONE;
}

void drill_print_running(struct cli *cli, const json_t *drills)
{
    size_t i;
    json_t *drill;
    json_array_foreach(drills, i, drill)
    {
        const json_t *progress = json_object_get(drill, "progress");
        if (progress)
            buf_print(&cli->out, "\nDrill %s is running: %s\n", control_text(cli, drill, "name"),
                      tell_progress(cli, progress));
    }
}

/* ---- tables ------------------------------------------------------------------------------------------------------ */

static const struct argument name_argument[] = { { "NAME", "The drill or runbook, as the configuration names it",
                                                   .required = true, .target = offsetof(struct args, name),
                                                   .words = WORDS_DRILL },
                                                 { 0 } };

static const struct option run_options[] = { { 0, "backup", "NAME",
                                               "This backup, and not the one that the configuration picks",
                                               .kind = OPTION_TEXT, .target = offsetof(struct args, backup) },
                                             { 'd', "detach", NULL, "Start it and don't wait for its end",
                                               .kind = OPTION_FLAG, .target = offsetof(struct args, detach) },
                                             { 0 } };

static const struct option plan_options[] = { { 0, "backup", "NAME",
                                                "This backup, and not the one that the configuration picks",
                                                .kind = OPTION_TEXT, .target = offsetof(struct args, backup) },
                                              { 0 } };

static const char *const run_examples[] = { "belfry drill run shop",
                                            "restore the newest backup, ask it, and show what it proved",
                                            "belfry drill run shop --backup shop-2026-11-20.sql.gz", "a certain one",
                                            NULL };

static const struct verb list = { .name = "list",
                                  .summary = "all drills and runbooks, how the last ones went, when the next are due",
                                  .run = run_list };
static const struct verb plan = {
    .name = "plan",
    .summary = "what a drill would do: which backup, what it is, whether it fits; the steps of a runbook",
    .description = "The backup is opened, its key is tried and its first bytes are "
                   "unpacked; nothing is restored and nothing recorded.",
    .arguments = name_argument,
    .options = plan_options,
    .args_size = sizeof(struct args),
    .run = run_plan
};
static const struct verb run = { .name = "run",
                                 .summary =
                                     "restore a backup into a scratch server now, and ask it; or follow a runbook",
                                 .description = "Follows the drill to its end. The exit status is 0 when it passed. "
                                                "Interrupting this command does not end the drill: 'belfry drill "
                                                "cancel' does. A runbook is followed to its end, or to the first step "
                                                "that is for people: 'belfry drill step' goes on from there.",
                                 .examples = run_examples,
                                 .arguments = name_argument,
                                 .options = run_options,
                                 .args_size = sizeof(struct args),
                                 .run = run_run };
static const struct verb cancel = {
    .name = "cancel",
    .summary = "end a drill that runs, or a runbook that is followed; nothing of it stays but the record",
    .arguments = name_argument,
    .args_size = sizeof(struct args),
    .run = run_cancel
};

static const struct verb *const verbs[] = { &list, &plan, &run, &verb_drill_step, &cancel, &verb_drill_report, NULL };

const struct verb verb_drill = {
    .name = "drill",
    .summary = "restore drills and runbooks: backups and recovery that are proven",
    .description =
        "A drill restores a backup into a scratch server that Belfry starts and removes, asks it what the "
        "configuration says, and records how long that took and how old the data was. A runbook is followed step "
        "by step, and timed against its targets.",
    .verbs = verbs,
    .run = run_list,
};
