/* SPDX-License-Identifier: GPL-3.0-or-later */
/* belfry complete - what may stand where the cursor is, one candidate a line: asked by the shell's completion
 * (completion/belfry), made from the verbs' tables. Services, checks and breakers are asked of the daemon, with a short
 * patience; file names are the shell's own business. */
#include <dirent.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/text.h"
#include "core/cli/control.h"
#include "core/cli/graph.h"
#include "core/cli/parse.h"
#include "core/cli/places.h"

#define PATIENCE_MS 500

struct args {
    struct words words; /* belfry, words before the cursor, the word at the cursor */
};

struct completion {
    struct cli *cli;
    struct parsed parsed;
    const char *word; /* as far as it is typed */
};

static void offer(struct completion *c, const char *candidate)
{
    if (strncmp(candidate, c->word, strlen(c->word)) == 0)
        buf_print(&c->cli->out, "%s\n", candidate);
}

/* ---- words ---------------------------------------------------------------------------------------------------- */

static void offer_services(struct completion *c, bool services, bool checks)
{
    json_t *answer = NULL, *service, *check;
    size_t i, k;
    if (control_ask(c->cli, json_pack("{ss}", "verb", "status"), PATIENCE_MS, &answer, NULL) != 0)
        return;
    json_array_foreach(control_list(answer, "services"), i, service)
    {
        if (services)
            offer(c, control_text(c->cli, service, "name"));
        json_array_foreach(control_list(service, "checks"), k, check) if (checks)
            offer(c, control_text(c->cli, check, "id"));
    }
    json_decref(answer);
}

/* The names that the daemon lists for a verb. */
static void offer_listed(struct completion *c, const char *verb, const char *const *lists)
{
    json_t *answer = NULL, *one, *request = json_pack("{ss ss}", "verb", verb, "action", "list");
    size_t i;
    if (control_ask(c->cli, request, PATIENCE_MS, &answer, NULL) != 0)
        return;
    for (; *lists; lists++)
        json_array_foreach(control_list(answer, *lists), i, one) offer(c, control_text(c->cli, one, "name"));
    json_decref(answer);
}

static void offer_folder(struct completion *c, const char *folder)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;
    while (dir && (entry = readdir(dir)) != NULL) {
        size_t length = strlen(entry->d_name);
        if (length > 3 && strcmp(entry->d_name + length - 3, ".so") == 0)
            offer(c, arena_text_n(&c->cli->arena, entry->d_name, length - 3));
    }
    if (dir)
        closedir(dir);
}

static void offer_plugins(struct completion *c)
{
    struct places places;
    if (places_find(c->cli, &places, NULL) != 0)
        return;
    for (const char *const *folder = places.plugin_dirs; *folder; folder++)
        offer_folder(c, *folder);
}

/* The check of the verb at the cursor: its first argument. */
static const char *find_check(const struct completion *c)
{
    const struct argument *first = c->parsed.levels[c->parsed.depth]->arguments;
    const char *args = c->parsed.args[c->parsed.depth];
    const char *check = first ? *(const char *const *)(const void *)(args + first->target) : NULL;
    return check && text_is_check_id(check) ? check : NULL;
}

/* A name with a blank would be two words. */
static void offer_word(struct completion *c, const char *name)
{
    if (*name && !strpbrk(name, " \t\"'\\"))
        offer(c, name);
}

/* Names of a list in what can be drawn of the check. */
static void offer_drawable(struct completion *c, const char *const *lists)
{
    const char *check = find_check(c);
    json_t *drawable = NULL, *item;
    size_t i;
    if (!check || graph_list(c->cli, check, NULL, &drawable, NULL) != 0)
        return;
    for (; *lists; lists++)
        json_array_foreach(control_list(drawable, *lists), i, item) offer_word(c, control_text(c->cli, item, "name"));
    json_decref(drawable);
}

static void offer_parts(struct completion *c)
{
    const char *check = find_check(c);
    json_t *drawable = NULL, *part;
    size_t i;
    if (!check || graph_list(c->cli, check, NULL, &drawable, NULL) != 0)
        return;
    json_array_foreach(control_list(drawable, "parts"), i, part)
        offer_word(c, cli_visible(c->cli, json_string_value(part)));
    json_decref(drawable);
}

static void offer_all(struct completion *c, const char *const *words)
{
    for (; *words; words++)
        offer(c, *words);
}

static void offer_words(struct completion *c, enum words_of words)
{
    static const char *const breakers[] = { "breakers", NULL };
    static const char *const drills[] = { "drills", "runbooks", NULL };
    static const char *const pictures[] = { "views", "metrics", NULL };
    static const char *const formats[] = { "table", "json", "csv", NULL };
    static const char *const functions[] = { "average", "min", "max", NULL };
    switch (words) {
    case WORDS_SERVICE:
    case WORDS_CHECK:
    case WORDS_SUBJECT:
        offer_services(c, words != WORDS_CHECK, words != WORDS_SERVICE);
        break;
    case WORDS_BREAKER:
        offer_listed(c, "breaker", breakers);
        break;
    case WORDS_DRILL:
        offer_listed(c, "drill", drills);
        break;
    case WORDS_PLUGIN:
        offer_plugins(c);
        break;
    case WORDS_PICTURE:
    case WORDS_METRIC:
        offer_drawable(c, words == WORDS_METRIC ? pictures + 1 : pictures);
        break;
    case WORDS_PART:
        offer_parts(c);
        break;
    case WORDS_FORMAT:
        offer(c, "text");
        offer(c, "json");
        break;
    case WORDS_SERIES:
        offer_all(c, formats);
        break;
    case WORDS_FUNCTION:
        offer_all(c, functions);
        break;
    case WORDS_THEME:
        offer_all(c, graph_themes);
        break;
    case WORDS_SIZE:
        offer_all(c, graph_sizes);
        break;
    case WORDS_NONE:
    case WORDS_FILE:
        break;
    }
}

/* ---- what stands at the cursor -------------------------------------------------------------------------------- */

static void offer_options(struct completion *c)
{
    for (int level = c->parsed.depth; level >= 0; level--)
        for (const struct option *o = c->parsed.levels[level]->options; o && o->name; o++)
            if (!o->hidden)
                offer(c, arena_print(&c->cli->arena, "--%s", o->name));
}

/* The option before the cursor that still wants its argument. */
static const struct option *find_open_option(const struct completion *c, const char *before)
{
    int level;
    const struct option *option = NULL;
    if (strncmp(before, "--", 2) == 0)
        option = parse_find_option(&c->parsed, before + 2, strlen(before + 2), 0, &level);
    else if (before[0] == '-' && before[1] && before[2] == '\0')
        option = parse_find_option(&c->parsed, NULL, 0, before[1], &level);
    return option && option->argument && option->argument[0] != '[' ? option : NULL;
}

/* The first argument that has no value yet. */
static void offer_argument(struct completion *c)
{
    const struct verb *verb = c->parsed.levels[c->parsed.depth];
    const char *args = c->parsed.args[c->parsed.depth];
    for (const struct argument *a = verb->arguments; a && a->name; a++)
        if (a->many || *(const char *const *)(const void *)(args + a->target) == NULL) {
            offer_words(c, a->words);
            return;
        }
}

static int run(struct cli *cli, const void *raw)
{
    const struct args *args = raw;
    struct completion c = { .cli = cli };
    struct why why;
    if (args->words.count < 2)
        return EXIT_DONE;
    int before = (int)args->words.count - 1;
    char *const *argv = (char *const *)(const void *)args->words.items;
    c.word = args->words.items[before];
    parse_command(&cli->arena, &verb_root, before, argv, clock_wall_ms(), &c.parsed, &why);
    cli->globals.config_file = ((const struct globals *)c.parsed.args[0])->config_file;
    cli->globals.socket = ((const struct globals *)c.parsed.args[0])->socket;
    const struct option *open = find_open_option(&c, args->words.items[before - 1]);
    if (open) {
        offer_words(&c, open->words);
        return EXIT_DONE;
    }
    if (c.word[0] == '-') {
        offer_options(&c);
        return EXIT_DONE;
    }
    for (const struct verb *const *v = c.parsed.levels[c.parsed.depth]->verbs; v && *v; v++)
        if (!(*v)->hidden)
            offer(&c, (*v)->name);
    offer_argument(&c);
    return EXIT_DONE;
}

static const struct argument arguments[] = {
    { "WORD", "The words up to the cursor", .many = true, .target = offsetof(struct args, words) }, { 0 }
};

const struct verb verb_complete = {
    .name = "complete",
    .summary = "what may stand at the cursor, for the shell's completion",
    .arguments = arguments,
    .args_size = sizeof(struct args),
    .hidden = true,
    .run = run,
};
