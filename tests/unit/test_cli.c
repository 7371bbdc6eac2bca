/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_cli - the parts of the command line that need no other program: parsing, folding, stories, tables of verbs. */
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/cli/board.h"
#include "core/cli/check.h"
#include "core/cli/guard.h"
#include "core/cli/help.h"
#include "core/cli/parse.h"
#include "core/cli/story.h"
#include "core/model/event.h"
#include "tests/tap.h"

#define NOW_MS 1795473600000 /* 2026-11-23T22:40:00Z */

/* ---- parsing -------------------------------------------------------------------------------------------------- */

struct deep_args {
    const char *first;
    struct words rest, list;
    const char *text;
    int64_t number, seconds, time, watch_ms;
    bool flag;
    unsigned count;
};

static const struct option deep_options[] = {
    { 't', "text", "TEXT", "A text", .kind = OPTION_TEXT, .target = offsetof(struct deep_args, text) },
    { 'l', "list", "TEXT", "Texts", .kind = OPTION_LIST, .target = offsetof(struct deep_args, list) },
    { 'n', "number", "N", "A number", .kind = OPTION_NUMBER, .target = offsetof(struct deep_args, number),
      .fallback = "20" },
    { 's', "seconds", "S", "Seconds", .kind = OPTION_SECONDS, .target = offsetof(struct deep_args, seconds) },
    { 0, "since", "TIME", "A time", .kind = OPTION_TIME, .target = offsetof(struct deep_args, time) },
    { 'w', "watch", "[S]", "Again", .kind = OPTION_SECONDS, .target = offsetof(struct deep_args, watch_ms),
      .fallback = "2" },
    { 'f', "flag", NULL, "A flag", .kind = OPTION_FLAG, .target = offsetof(struct deep_args, flag) },
    { 'v', "verbose", NULL, "More", .kind = OPTION_COUNT, .target = offsetof(struct deep_args, count) },
    { 'c', "critical", "X", "Takes the root's letter", .kind = OPTION_LIST,
      .target = offsetof(struct deep_args, list) },
    { 0 }
};

static const struct argument deep_arguments[] = {
    { "FIRST", "One", .required = true, .target = offsetof(struct deep_args, first) },
    { "REST", "Others", .many = true, .target = offsetof(struct deep_args, rest) },
    { 0 }
};

static int run_nothing(struct cli *cli, const void *args)
{
    (void)cli, (void)args;
    return 0;
}

static const struct verb deep = { .name = "deep",
                                  .summary = "x",
                                  .arguments = deep_arguments,
                                  .options = deep_options,
                                  .args_size = sizeof(struct deep_args),
                                  .run = run_nothing };
static const struct verb *const group_verbs[] = { &deep, NULL };
static const struct verb group = { .name = "group", .summary = "x", .verbs = group_verbs };
static const struct verb *const root_verbs[] = { &group, NULL };

static const struct option root_options[] = {
    { 'c', "config", "FILE", "File", .kind = OPTION_TEXT, .target = offsetof(struct globals, config_file) },
    { 'o', "output", "FORMAT", "Format", .kind = OPTION_FORMAT, .target = offsetof(struct globals, format) },
    { 'h', "help", NULL, "Help", .kind = OPTION_FLAG, .target = offsetof(struct globals, help) },
    { 0 }
};

static const struct verb root = {
    .name = "root", .options = root_options, .args_size = sizeof(struct globals), .verbs = root_verbs
};

static struct arena arena;
static struct parsed parsed;
static struct why why;

/* Parses a line split at spaces ('~' stands for a space within a word). */
static int parse(const char *line)
{
    char *copy = arena_print(&arena, "root %s", line), *save = NULL, *argv[64];
    int argc = 0;
    for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
        for (char *c = word; *c; c++)
            *c = *c == '~' ? ' ' : *c;
        argv[argc++] = word;
    }
    parsed = (struct parsed){ .depth = 0 };
    why.text[0] = '\0';
    return parse_command(&arena, &root, argc, argv, NOW_MS, &parsed, &why);
}

static const struct deep_args *deep_of(void)
{
    return parsed.args[2];
}

static const struct globals *globals_of(void)
{
    return parsed.args[0];
}

static void test_options(void)
{
    tap_ok(parse("-o json group -c x deep one -vvv -t a two --list=b -l c -n5 -- -f") == 0, "a long line is read: %s",
           why.text);
    tap_is_int(parsed.depth, 2, "it leads to the verb");
    tap_is_text(parse_path(&arena, &parsed), "root group deep", "whose path is told");
    tap_is_int(globals_of()->format, FORMAT_JSON, "an option before the verb");
    tap_is_text(globals_of()->config_file, "x", "one between two verbs");
    tap_is_text(deep_of()->first, "one", "the first argument");
    tap_ok(deep_of()->rest.count == 2 && strcmp(deep_of()->rest.items[1], "-f") == 0, "the others, also after --");
    tap_ok(!deep_of()->flag, "where options are no options");
    tap_is_int(deep_of()->count, 3, "a counted letter");
    tap_is_text(deep_of()->text, "a", "a text");
    tap_ok(deep_of()->list.count == 2 && strcmp(deep_of()->list.items[1], "c") == 0, "a list");
    tap_is_int(deep_of()->number, 5, "a number stuck to its letter");
    tap_ok(parse("group deep a -c r -o text -o json") == 0 && globals_of()->config_file == NULL &&
               deep_of()->list.count == 1 && globals_of()->format == FORMAT_JSON,
           "a verb's letter goes before the root's, the root's holds after the verb");
    tap_ok(parse("group deep a") == 0 && deep_of()->number == 20 && deep_of()->watch_ms == 0, "fallbacks");
    tap_ok(parse("group deep a -w b") == 0 && deep_of()->watch_ms == 2000 && deep_of()->rest.count == 1,
           "an argument that may be left out is");
    tap_ok(parse("group deep a -w 5 b") == 0 && deep_of()->watch_ms == 5000, "or is taken when it fits");
    tap_ok(parse("group deep a --watch=0.5") == 0 && deep_of()->watch_ms == 500, "or stands behind =");
}

static void test_mistakes(void)
{
    static const struct {
        const char *line, *text;
    } mistakes[] = {
        { "grup", "unknown verb 'grup', did you mean 'group'?" },
        { "zzz", "unknown verb 'zzz'" },
        { "group deep --nummer=1", "unknown option '--nummer', did you mean '--number'?" },
        { "group deep -x", "unknown option '-x'" },
        { "group deep -n", "option '--number' wants N" },
        { "group deep -n 0", "'--number' wants a whole number above 0, not '0'" },
        { "group deep -n 5x", "'--number' wants a whole number above 0, not '5x'" },
        { "group deep -s -1", "'--seconds' wants seconds above 0, or a duration such as 500ms or 2m, not '-1'" },
        { "group deep --flag=1", "option '--flag' takes no argument" },
        { "-o xml group", "'--output' wants text or json, not 'xml'" },
        { "group deep --since yesterday",
          "'--since' wants an age such as 1h, or a time such as '2026-11-21 10:00', not 'yesterday'" },
    };
    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
        tap_ok(parse(mistakes[i].line) < 0, "'%s' is refused", mistakes[i].line);
        tap_is_text(why.text, mistakes[i].text, "and why");
    }
    tap_ok(parse("group deep") == 0 && parse_complete(&parsed, &why) < 0, "a required argument is missing");
    tap_is_text(why.text, "FIRST is missing", "and named");
    tap_ok(parse("group") == 0 && parse_complete(&parsed, &why) < 0, "a verb is missing");
}

static void test_times(void)
{
    int64_t ms = 0;
    tap_ok(parse_time("1h", NOW_MS, &ms) == 0 && ms == NOW_MS - 3600000, "an age");
    tap_ok(parse_time("2026-11-21T10:00:00Z", NOW_MS, &ms) == 0 && ms == 1795255200000, "UTC");
    tap_ok(parse_time("2026-11-21 10:00", NOW_MS, &ms) == 0 && ms == 1795255200000 - 3600000, "local time");
    tap_ok(parse_time("2026-11-21", NOW_MS, &ms) == 0 && ms == 1795255200000 - 11 * 3600000, "a day");
    tap_ok(parse_time("10:30", NOW_MS, &ms) == 0 && ms == 1795426200000, "an hour of today");
    tap_ok(parse_time("2026-02-30", NOW_MS, &ms) < 0, "a day that does not exist");
    tap_ok(parse_time("2026-11-21 10:00x", NOW_MS, &ms) < 0 && parse_time("", NOW_MS, &ms) < 0, "no time");
    tap_ok(parse_seconds("10", &ms) == 0 && ms == 10000, "seconds");
    tap_ok(parse_seconds("0.25", &ms) == 0 && ms == 250, "parts of a second");
    tap_ok(parse_seconds("2m", &ms) == 0 && ms == 120000, "a duration");
    tap_ok(parse_seconds("0", &ms) < 0 && parse_seconds("nan", &ms) < 0 && parse_seconds("1e300", &ms) < 0,
           "neither nothing nor for ever");
}

/* ---- the real tables ------------------------------------------------------------------------------------------ */

static const char *find_fault(const struct verb *verb)
{
    for (const struct option *o = verb->options; o && o->name; o++) {
        if (o->doc == NULL || (o->argument == NULL) != (o->kind == OPTION_FLAG || o->kind == OPTION_COUNT))
            return o->name;
        for (const struct option *other = verb->options; other != o; other++)
            if (strcmp(o->name, other->name) == 0 || (o->letter && o->letter == other->letter))
                return o->name;
    }
    for (const struct argument *a = verb->arguments; a && a->name; a++)
        if (a->doc == NULL || (a->many && a[1].name))
            return a->name;
    for (const char *const *e = verb->examples; e && *e; e += 2)
        if (e[1] == NULL || strncmp(e[0], "belfry ", 7) != 0)
            return e[0];
    if (verb->run == NULL && verb->verbs == NULL)
        return "run";
    return verb->summary ? NULL : "summary";
}

static void test_verb(const struct verb *verb, struct parsed *path, const struct buf *manual)
{
    struct buf help = { 0 };
    struct term term = { .width = 80 };
    const char *fault = find_fault(verb);
    path->levels[path->depth] = verb;
    tap_ok(fault == NULL, "the table of '%s' is sound%s%s", verb->name, fault ? ", but " : "", fault ? fault : "");
    help_print(&help, &term, path);
    bool complete = true, narrow = true;
    for (const struct option *o = verb->options; o && o->name; o++)
        complete = complete && (o->hidden || strstr(help.data, o->name));
    for (char *line = strtok(help.data, "\n"); line; line = strtok(NULL, "\n"))
        narrow = narrow && term_columns(line) <= 80;
    tap_ok(complete, "its help names every option");
    tap_ok(narrow, "in 80 columns");
    struct buf summary = { 0 };
    help_roff(&summary, verb->summary);
    tap_ok(verb->hidden || verb->run == NULL || strstr(manual->data, summary.data), "and the manual page has it");
    buf_close(&summary);
    buf_close(&help);
    for (const struct verb *const *v = verb->verbs; v && *v; v++) {
        path->depth++;
        test_verb(*v, path, manual);
        path->depth--;
    }
}

static void test_tables(void)
{
    struct parsed path = { .depth = 0 };
    struct buf manual = { 0 };
    help_manual(&manual, &verb_root);
    test_verb(&verb_root, &path, &manual);
    tap_ok(strstr(manual.data, "\n-") == NULL, "no bare dash begins a line of the manual page");
    buf_close(&manual);
    struct buf roff = { 0 };
    help_roff(&roff, ".dot a-b \\ 'q'\n'x");
    tap_is_text(roff.data, "\\&.dot a\\-b \\e 'q'\n\\&'x", "markup in texts is made literal");
    buf_close(&roff);
}

/* ---- printing ------------------------------------------------------------------------------------------------- */

static const char *fold(size_t width, const char *text, size_t indent, size_t lines)
{
    struct buf out = { 0 };
    struct term term = { .width = width };
    term_fold(&term, &out, text, indent, lines);
    const char *copy = arena_text(&arena, out.data);
    buf_close(&out);
    return copy;
}

static void test_term(void)
{
    tap_is_text(fold(0, "a long line that nobody folds", 2, 9), "a long line that nobody folds\n", "no width, no fold");
    tap_is_text(fold(30, "the quick brown fox jumps over the dog", 4, 9),
                "the quick brown fox jumps\n    over the dog\n", "folded at a space, indented");
    tap_is_text(fold(28, "abcdefghijklmnopqrstuvwxyzabcdefgh", 4, 9), "abcdefghijklmnopqrstuvwx\n    yzabcdefgh\n",
                "cut where there is no space");
    tap_is_text(fold(28, "one two three four five six seven eight nine ten", 4, 1), "one two three four ...\n",
                "no more lines than wanted");
    tap_is_text(fold(28, "ääääääääääääääääääääääää bb", 4, 9), "ääääääääääääääääääääääää\n    bb\n",
                "columns are characters");
    struct term term = { .width = 0 }, colour = { .colour = true };
    struct table table = { .columns = 3, .indent = 1 };
    struct buf out = { 0 };
    const char *const cells[] = { "a", "bb", "c", "aaa", "b", "", "ä", "", "" };
    for (size_t i = 0; i < 9; i++)
        table_add(&table, STYLE_PLAIN, cells[i]);
    table_print(&table, &term, &out);
    tap_is_text(out.data, " a    bb  c\n aaa  b\n ä\n", "columns line up, nothing trails");
    buf_reset(&out);
    term_text(&colour, &out, STYLE_OK, "x");
    term_text(&term, &out, STYLE_OK, "y");
    tap_is_text(out.data, "\033[32mx\033[0my", "colour only where it is wanted");
    buf_close(&out);
    table_close(&table);
}

static const char *tell(struct cli *cli, const char *line)
{
    buf_reset(&cli->out);
    story_print(cli, line, strlen(line), NOW_MS - 60000, NOW_MS);
    return cli->out.data;
}

static void test_story(void)
{
    struct cli cli = { .globals.format = FORMAT_TEXT };
    bool all = true;
    for (int type = 0; type < EVENT_TYPE_COUNT; type++)
        if (!story_knows(event_name((enum event_type)type))) {
            printf("# no sentence for %s\n", event_name((enum event_type)type));
            all = false;
        }
    tap_ok(all, "every event has a sentence");
    tap_is_text(tell(&cli, "{\"type\":\"check.state\",\"check\":\"redis/server\",\"from\":\"OK\",\"to\":\"CRITICAL\","
                           "\"kind\":\"soft\",\"attempt\":1,\"attempts\":2,\"text\":\"\\u001b[31mrefused\"}"),
                "2026-11-23 23:39:00  1 min       redis/server          OK -> CRITICAL soft 1/2  \\x1b[31mrefused\n",
                "a change of state, without what a terminal obeys");
    tap_is_text(tell(&cli, "{\"type\":\"check.flapping\",\"check\":\"a/b\",\"on\":false,\"percent\":12.5}"),
                "2026-11-23 23:39:00  1 min       a/b                   stopped flapping (12.5 % changed state)\n",
                "a choice by a member");
    tap_is_text(tell(&cli, "{\"type\":\"breaker.open\",\"breaker\":\"a/b\",\"failures\":5,\"ms\":30000}"),
                "2026-11-23 23:39:00  1 min       a/b                   circuit open after 5 failures, next try in "
                "30 s\n",
                "a duration, and no trailing space");
    tap_is_text(tell(&cli, "{\"seq\":1,\"type\":\"new.type\",\"x\":1,\"y\":\"z\",\"hash\":\"00\"}"),
                "2026-11-23 23:39:00  1 min       new.type               x=1 y=z\n", "a type from the future");
    tap_ok(*tell(&cli, "not json") != '\0', "a damaged line is still a line");
    buf_close(&cli.out);
    arena_close(&cli.arena);
}

/* ---- guard ---------------------------------------------------------------------------------------------------- */

static int say_hello(void *context, struct buf *out)
{
    printf("garbage on stdout\n"); /* must go to stderr */
    fflush(stdout);
    buf_print(out, "hello %s", (const char *)context);
    return 2;
}

static int leave(void *context, struct buf *out)
{
    (void)context, (void)out;
    _exit(7);
}

static int crash(void *context, struct buf *out)
{
    (void)context, (void)out;
    raise(SIGKILL); /* a signal that no sanitizer takes for itself */
    return 0;
}

static int loop(void *context, struct buf *out)
{
    (void)out;
    while (*(volatile int *)context == 0)
        ;
    return 0;
}

static void test_guard(void)
{
    struct guarded guarded = { .end = GUARD_DIED };
    int number = 0;
    int saved = dup(STDERR_FILENO), null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    dup2(null, STDERR_FILENO);
    int code = guard_run(say_hello, (void *)(uintptr_t) "you", 10000, &arena, &guarded);
    dup2(saved, STDERR_FILENO);
    tap_ok(code == 0 && guarded.end == GUARD_DONE && guarded.status == 2, "work that returns");
    tap_is_text(guarded.text, "hello you", "with what it wrote");
    tap_ok(guard_run(leave, NULL, 10000, &arena, &guarded) == 0 && guarded.end == GUARD_DIED, "work that exits");
    tap_is_text(guarded.why, "ended its process with exit status 7", "and how");
    tap_ok(guard_run(crash, NULL, 10000, &arena, &guarded) == 0 && guarded.end == GUARD_DIED, "work that crashes");
    tap_is_text(guarded.why, "crashed: SIGKILL", "and by which signal");
    tap_ok(guard_run(loop, &number, 200, &arena, &guarded) == 0 && guarded.end == GUARD_TIMEOUT, "work that loops");
    tap_ok(waitpid(-1, NULL, WNOHANG) == -1, "no child is left");
    close(null);
    close(saved);
}

static void test_board(void)
{
    json_t *answer = json_loads("{\"services\":[{\"name\":\"a\",\"checks\":["
                                "{\"id\":\"a/x\",\"known\":true,\"state\":\"WARNING\"},"
                                "{\"id\":\"a/y\",\"known\":false,\"state\":\"UNKNOWN\"}]}]}",
                                0, NULL);
    json_t *fresh =
        json_loads("{\"services\":[{\"name\":\"a\",\"checks\":[{\"id\":\"a/x\",\"known\":false}]}]}", 0, NULL);
    json_t *none = json_object();
    tap_is_int(board_worst(answer), BELFRY_WARNING, "the worst of what is known");
    tap_is_int(board_worst(fresh), BELFRY_UNKNOWN, "nothing is known yet");
    tap_is_int(board_worst(none), BELFRY_OK, "nothing is watched");
    tap_is_text(output_name(&arena, "./x/file-age.so"), "FILE-AGE", "a plugin's name from its path");
    tap_is_text(output_name(&arena, "a|b"), "A_B", "no bar on the status line");
    json_decref(answer);
    json_decref(fresh);
    json_decref(none);
}

int main(void)
{
    setenv("TZ", "CET-1", 1);
    tzset();
    test_options();
    test_mistakes();
    test_times();
    test_tables();
    test_term();
    test_story();
    test_guard();
    test_board();
    arena_close(&arena);
    return tap_done();
}
