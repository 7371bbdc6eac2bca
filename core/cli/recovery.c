/* SPDX-License-Identifier: GPL-3.0-or-later */
/* belfry drill step, and the other verbs of `belfry drill` where they are about a runbook: what it would do, where it
 * is, how it went. Who follows one is shown each step as it ends, until people are asked to do something, or to the
 * end. */
#include <string.h>
#include <time.h>

#include "core/base/clock.h"
#include "core/base/text.h"
#include "core/cli/board.h"
#include "core/cli/control.h"
#include "core/cli/drill.h"

#define POLL_MS 200

/* ---- asking ------------------------------------------------------------------------------------------------------ */

/* A new reference to the runbook's view; NULL with the exit status. */
static json_t *look(struct cli *cli, const char *name, int *status)
{
    json_t *request = json_pack("{ss ss}", "verb", "drill", "action", "list"), *runbook, *found = NULL;
    json_t *answer = control_want(cli, request, CONTROL_TIMEOUT_MS, status);
    size_t i;
    json_array_foreach(control_list(answer, "runbooks"), i, runbook)
    {
        if (strcmp(control_text(cli, runbook, "name"), name) == 0)
            found = json_incref(runbook);
    }
    if (answer && !found)
        *status = cli_fail(cli, "there is no runbook '%s'; 'belfry drill list' shows them", name);
    json_decref(answer);
    return found;
}

/* ---- words ------------------------------------------------------------------------------------------------------- */

static enum style style_of(const char *state)
{
    static const struct {
        const char *state;
        enum style style;
    } styles[] = { { "done", STYLE_OK },         { "passed", STYLE_OK },        { "failed", STYLE_CRITICAL },
                   { "skipped", STYLE_WARNING }, { "unknown", STYLE_UNKNOWN },  { "asked", STYLE_STRONG },
                   { "due", STYLE_WARNING },     { "cancelled", STYLE_WARNING } };
    for (size_t i = 0; i < sizeof styles / sizeof styles[0]; i++)
        if (strcmp(styles[i].state, state) == 0)
            return styles[i].style;
    return STYLE_PLAIN;
}

/* What a step is: "run /usr/bin/true", "drill shop", ... */
static const char *what_of(struct cli *cli, const json_t *step)
{
    static const char *const words[][2] = {
        { "do", "" }, { "command", "run " }, { "drill", "drill " }, { "check", "wait until OK: " }
    };
    const char *kind = control_text(cli, step, "kind"), *word = "";
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        word = strcmp(words[i][0], kind) == 0 ? words[i][1] : word;
    return arena_print(&cli->arena, "%s%s", word, control_text(cli, step, "what"));
}

/* "2 of 4, promote the replica" */
static const char *place_of(struct cli *cli, const json_t *runbook)
{
    const json_t *step = json_object_get(runbook, "step");
    return arena_print(&cli->arena, "step %lld of %zu, %s", (long long)control_integer(step, "number"),
                       json_array_size(control_list(json_object_get(runbook, "now"), "steps")),
                       control_text(cli, step, "name"));
}

static bool wants_people(struct cli *cli, const json_t *runbook)
{
    const char *state = control_text(cli, runbook, "state");
    return strcmp(state, "asked") == 0 || strcmp(state, "doubtful") == 0;
}

static const char *now_of(struct cli *cli, const json_t *runbook, int64_t now_ms)
{
    const json_t *step = json_object_get(runbook, "step");
    const char *state = control_text(cli, runbook, "state"), *calendar = control_text(cli, runbook, "calendar");
    if (!step)
        return strcmp(state, "idle") != 0      ? state
               : strcmp(calendar, "due") == 0  ? "due"
               : strcmp(calendar, "soon") == 0 ? "due soon"
                                               : "";
    return arena_print(&cli->arena, "%s: %s %s", place_of(cli, runbook),
                       wants_people(cli, runbook) ? "waits for you since" : "runs for",
                       condition_age(cli, control_integer(step, "began_ms"), now_ms));
}

static void print_ask(struct cli *cli, const json_t *runbook)
{
    const json_t *step = json_object_get(runbook, "step");
    const char *name = control_text(cli, runbook, "name");
    bool doubtful = strcmp(control_text(cli, runbook, "state"), "doubtful") == 0;
    if (doubtful)
        buf_print(&cli->out,
                  "  nobody knows what became of this command: %s\n  %s\n  look whether it has done its work\n",
                  control_text(cli, step, "note"), control_text(cli, step, "what"));
    else
        buf_print(&cli->out, "  %s\n", control_text(cli, step, "what"));
    buf_print(&cli->out, "  then: belfry drill step %s --done (or --failed, --skip REASON; --note TEXT)\n", name);
}

/* ---- a document -------------------------------------------------------------------------------------------------- */

static const char *took_of(struct cli *cli, const json_t *step)
{
    char text[TEXT_DURATION_SIZE];
    int64_t began_ms = control_integer(step, "began_ms"), ended_ms = control_integer(step, "ended_ms");
    return began_ms && ended_ms >= began_ms ? arena_text(&cli->arena, text_format_age(text, ended_ms - began_ms)) : "";
}

static void add_step(struct cli *cli, struct table *table, const json_t *step)
{
    const char *state = control_text(cli, step, "state"), *by = control_text(cli, step, "by");
    const char *note = control_text(cli, step, "note");
    table_add(table, STYLE_FAINT, arena_print(&cli->arena, "%lld", (long long)control_integer(step, "number")));
    table_add(table, style_of(state), state);
    table_add(table, STYLE_PLAIN, took_of(cli, step));
    table_add(table, STYLE_STRONG, control_text(cli, step, "name"));
    table_add(
        table, STYLE_PLAIN,
        arena_print(&cli->arena, "%s%s%s%s%s", what_of(cli, step), *by ? "; by " : "", by, *note ? "; " : "", note));
}

/* Its steps from `from` on that are over (or all of them); returns how many were printed. */
static size_t print_steps(struct cli *cli, const json_t *doc, size_t from, bool all)
{
    struct table table = { .columns = 5, .indent = 2 };
    const json_t *steps = control_list(doc, "steps");
    size_t i = from;
    for (; i < json_array_size(steps); i++) {
        const json_t *step = json_array_get(steps, i);
        if (!all && !control_integer(step, "ended_ms"))
            break;
        add_step(cli, &table, step);
    }
    if (i > from)
        table_print(&table, &cli->term, &cli->out);
    table_close(&table);
    return i - from;
}

static int print_end(struct cli *cli, const json_t *evidence)
{
    const char *result = control_text(cli, evidence, "result"), *step = control_text(cli, evidence, "phase");
    const char *reason = control_text(cli, evidence, "reason");
    term_text(&cli->term, &cli->out, style_of(result), result);
    buf_print(&cli->out, "%s%s%s%s\n", *step ? " in step " : "", step, *reason ? ": " : "", reason);
    drill_print_targets(cli, evidence);
    return strcmp(result, "passed") == 0 ? EXIT_DONE : EXIT_FAILED;
}

/* ---- following --------------------------------------------------------------------------------------------------- */

struct following {
    struct cli *cli;
    const char *name, *id;
    size_t printed; /* steps */
};

/* Whether there is nothing more to wait for; then the exit status is set. */
static bool tell(struct following *f, const json_t *runbook, int *status)
{
    struct cli *cli = f->cli;
    const json_t *now = json_object_get(runbook, "now"), *last = json_object_get(runbook, "last");
    bool json = cli->globals.format == FORMAT_JSON, ours = strcmp(control_text(cli, now, "id"), f->id) == 0;
    bool ended = !ours && strcmp(control_text(cli, last, "id"), f->id) == 0;
    const json_t *doc = ours ? now : ended ? last : NULL;
    if (!doc) {
        *status = cli_fail(
            cli, "runbook '%s' is not followed any more: 'belfry journal query --type recovery.' says why", f->name);
        return true;
    }
    if (!json)
        f->printed += print_steps(cli, doc, f->printed, false);
    if (ours && !wants_people(cli, runbook))
        return false;
    *status = ended && strcmp(control_text(cli, last, "result"), "passed") != 0 ? EXIT_FAILED : EXIT_DONE;
    if (json)
        control_print(cli, json_deep_copy(doc));
    else if (ended)
        print_end(cli, last);
    else {
        buf_print(&cli->out, "%s:\n", place_of(cli, runbook));
        print_ask(cli, runbook);
    }
    return true;
}

static int follow(struct following *f)
{
    const struct timespec pause = { 0, POLL_MS * 1000000L };
    int status = EXIT_FAILED;
    bool over = false;
    json_t *runbook;
    while (!over && (runbook = look(f->cli, f->name, &status)) != NULL) {
        over = tell(f, runbook, &status);
        json_decref(runbook);
        cli_flush(f->cli);
        if (!over)
            nanosleep(&pause, NULL);
    }
    return status;
}

/* ---- what drill.c hands over ------------------------------------------------------------------------------------- */

int recovery_follow(struct cli *cli, const json_t *answer, bool detach)
{
    struct following f = { cli, control_text(cli, answer, "runbook"), control_text(cli, answer, "id"), 0 };
    if (!detach)
        return follow(&f);
    if (cli->globals.format == FORMAT_JSON)
        control_print(cli, json_deep_copy(answer));
    else
        buf_print(&cli->out, "runbook '%s' is followed; 'belfry drill list' shows where it is\n", f.name);
    return EXIT_DONE;
}

int recovery_print_plan(struct cli *cli, const json_t *answer)
{
    const json_t *planned = json_object_get(answer, "planned");
    char rto[TEXT_DURATION_SIZE], rpo[TEXT_DURATION_SIZE];
    int64_t rpo_ms = control_integer(planned, "rpo_ms");
    if (cli->globals.format == FORMAT_JSON) {
        control_print(cli, json_deep_copy(planned));
        return EXIT_DONE;
    }
    buf_print(&cli->out, "%s: recovered within %s", control_text(cli, planned, "title"),
              text_format_age(rto, control_integer(planned, "rto_ms")));
    if (rpo_ms)
        buf_print(&cli->out, ", data not older than %s", text_format_age(rpo, rpo_ms));
    buf_char(&cli->out, '\n');
    print_steps(cli, planned, 0, true);
    return EXIT_DONE;
}

void recovery_print_list(struct cli *cli, const json_t *runbooks, int64_t now_ms)
{
    static const char *const titles[] = { "runbook", "last", "held", "passed", "next", "now" };
    struct table table = { .columns = 6, .titles = titles };
    size_t i;
    json_t *runbook;
    json_array_foreach(runbooks, i, runbook)
    {
        const char *result = control_text(cli, runbook, "result"), *now = now_of(cli, runbook, now_ms);
        int64_t held_ms = control_integer(runbook, "held"), passed_ms = control_integer(runbook, "passed");
        int64_t due_ms = control_integer(runbook, "due");
        table_add(&table, STYLE_PLAIN, control_text(cli, runbook, "name"));
        table_add(&table, style_of(result), *result ? result : "-");
        table_add(&table, STYLE_PLAIN,
                  held_ms ? arena_print(&cli->arena, "%s ago", condition_age(cli, held_ms, now_ms)) : "never");
        table_add(&table, STYLE_PLAIN,
                  passed_ms ? arena_print(&cli->arena, "%s ago", condition_age(cli, passed_ms, now_ms)) : "never");
        table_add(&table, STYLE_PLAIN, due_ms ? condition_until(cli, due_ms, now_ms) : "by hand");
        table_add(&table, style_of(now), now);
    }
    table_print(&table, &cli->term, &cli->out);
    table_close(&table);
}

void recovery_print_running(struct cli *cli, const json_t *runbooks, int64_t now_ms)
{
    size_t i;
    json_t *runbook;
    json_array_foreach(runbooks, i, runbook)
    {
        const char *name = control_text(cli, runbook, "name"), *calendar = control_text(cli, runbook, "calendar");
        int64_t due_ms = control_integer(runbook, "due");
        char when[TEXT_TIME_SIZE];
        if (json_object_get(runbook, "step")) {
            buf_print(&cli->out, "\nRunbook %s is followed, %s\n", name, now_of(cli, runbook, now_ms));
            if (wants_people(cli, runbook))
                print_ask(cli, runbook);
        } else if (strcmp(calendar, "due") == 0) {
            term_text(&cli->term, &cli->out, STYLE_WARNING,
                      arena_print(&cli->arena, "\nRunbook %s is to be rehearsed, due since %s: belfry drill run %s\n",
                                  name, condition_age(cli, due_ms, now_ms), name));
        } else if (strcmp(calendar, "soon") == 0) {
            buf_print(&cli->out, "\nRunbook %s is to be rehearsed %s, on %s\n", name,
                      condition_until(cli, due_ms, now_ms), text_format_local(when, due_ms));
        }
    }
}

/* ---- the verb ---------------------------------------------------------------------------------------------------- */

struct args {
    const char *name, *skip, *note;
    bool done, failed;
    int64_t number;
};

static int show(struct cli *cli, const char *name)
{
    int status = EXIT_DONE;
    json_t *runbook = look(cli, name, &status);
    if (!runbook)
        return status;
    const json_t *now = json_object_get(runbook, "now");
    if (cli->globals.format == FORMAT_JSON) {
        control_print(cli, runbook);
        return EXIT_DONE;
    }
    if (now) {
        print_steps(cli, now, 0, true);
        buf_print(&cli->out, "%s\n", now_of(cli, runbook, clock_wall_ms()));
    } else {
        buf_print(&cli->out, "runbook '%s' is not being followed; 'belfry drill run %s' begins it\n", name, name);
    }
    if (wants_people(cli, runbook))
        print_ask(cli, runbook);
    json_decref(runbook);
    return EXIT_DONE;
}

/* The steps that are over: they were shown to whom was there before. */
static size_t count_over(struct cli *cli, const char *name)
{
    int status;
    size_t count = 0;
    json_t *runbook = look(cli, name, &status);
    const json_t *steps = control_list(json_object_get(runbook, "now"), "steps");
    while (count < json_array_size(steps) && control_integer(json_array_get(steps, count), "ended_ms"))
        count++;
    json_decref(runbook);
    return count;
}

static int run(struct cli *cli, const void *raw)
{
    const struct args *args = raw;
    int said = args->done + args->failed + (args->skip != NULL), status;
    if (said == 0)
        return args->note ? cli_usage(cli, "--note belongs to --done, --failed or --skip") : show(cli, args->name);
    if (said > 1)
        return cli_usage(cli, "a step is done, failed or skipped: give one of --done, --failed and --skip");
    if (args->skip && args->note)
        return cli_usage(cli, "--skip has its reason: leave --note out");
    const char *state = args->done ? "done" : args->failed ? "failed" : "skipped";
    struct following f = { cli, args->name, NULL, count_over(cli, args->name) };
    json_t *request =
        json_pack("{ss ss ss ss ss* sI}", "verb", "drill", "action", "step", "name", args->name, "state", state, "note",
                  args->skip ? args->skip : args->note, "number", (json_int_t)args->number);
    json_t *answer = control_want(cli, request, CONTROL_TIMEOUT_MS, &status);
    if (!answer)
        return status;
    f.id = control_text(cli, answer, "id");
    json_decref(answer);
    return follow(&f);
}

static const struct argument arguments[] = { { "NAME", "The runbook, as the configuration names it", .required = true,
                                               .target = offsetof(struct args, name), .words = WORDS_DRILL },
                                             { 0 } };

static const struct option options[] = {
    { 0, "done", NULL, "The step is done", .kind = OPTION_FLAG, .target = offsetof(struct args, done) },
    { 0, "failed", NULL, "It can't be done: the whole has failed", .kind = OPTION_FLAG,
      .target = offsetof(struct args, failed) },
    { 0, "skip", "REASON", "It is left out, for this reason", .kind = OPTION_TEXT,
      .target = offsetof(struct args, skip) },
    { 0, "note", "TEXT", "What is to be remembered of it", .kind = OPTION_TEXT, .target = offsetof(struct args, note) },
    { 0, "number", "N", "Only when this is the step that is asked for", .kind = OPTION_NUMBER,
      .target = offsetof(struct args, number) },
    { 0 }
};

static const char *const examples[] = { "belfry drill step shop-down",
                                        "where it is, and what is to be done now",
                                        "belfry drill step shop-down --done --note 'replica promoted'",
                                        "done; goes on to the next step that is for people",
                                        "belfry drill step shop-down --skip 'no spare machine'",
                                        "left out",
                                        NULL };

const struct verb verb_drill_step = {
    .name = "step",
    .summary = "where a runbook is, and what became of the step that people were to do",
    .description =
        "Follows the runbook to the next step that is for people, or to its end; the exit status is 1 when it "
        "has failed. A command that was running when the daemon ended is asked for as well: it is never run "
        "again by itself. A drill or check that is waited for can be skipped.",
    .examples = examples,
    .arguments = arguments,
    .options = options,
    .args_size = sizeof(struct args),
    .run = run,
};
