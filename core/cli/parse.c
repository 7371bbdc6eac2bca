/* SPDX-License-Identifier: GPL-3.0-or-later */
/* parse - the command line read by the verbs' tables.
 *
 * One pass from left to right. The first words that name verbs lead down the tree; an option is looked up in the
 * innermost verb first, then outwards, so that the root's options hold everywhere and a verb may take a letter for
 * itself. Options and arguments may be mixed; "--" ends the options. Accepted forms: -n 5, -n5, -vvv, --lines 5,
 * --lines=5. An option whose argument may be left out ("[SECONDS]") takes it only as --name=X or -wX, or when the next
 * word is a number.
 *
 * Diagnostics name the word that is wrong and, when one is near, the word that was probably meant. */
#include "core/cli/parse.h"

#include <assert.h>
#include <string.h>
#include <time.h>

#include "core/base/text.h"

#define WORDS_MAX 4096
#define CANDIDATES_MAX 64

struct parser {
    struct arena *arena;
    struct parsed *parsed;
    char *const *argv;
    int argc, at;
    int64_t wall_ms;
    bool plain;   /* after "--" */
    size_t taken; /* arguments of the innermost verb so far */
    struct why *why;
};

static const struct verb *innermost(const struct parsed *parsed)
{
    return parsed->levels[parsed->depth];
}

/* ---- times ---------------------------------------------------------------------------------------------------- */

int parse_seconds(const char *text, int64_t *out_ms)
{
    double seconds;
    int code = text_number(text, &seconds) == 0 ? 0 : text_duration(text, out_ms);
    if (code != 0)
        return code;
    if (text_number(text, &seconds) == 0) {
        if (!(seconds <= 1e9))
            return ERROR_RANGE;
        *out_ms = (int64_t)(seconds * 1000);
    }
    return *out_ms > 0 ? 0 : ERROR_RANGE;
}

/* A local time in one of the forms; false when it is none of them or no such day exists. */
static bool read_local(const char *text, int64_t wall_ms, int64_t *out_ms)
{
    static const char *const forms[] = { "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M",
                                         "%Y-%m-%d",          "%H:%M:%S",          "%H:%M" };
    time_t now = (time_t)(wall_ms / 1000);
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        struct tm tm;
        localtime_r(&now, &tm);
        tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
        tm.tm_isdst = -1;
        const char *end = strptime(text, forms[i], &tm);
        if (end == NULL || *end != '\0')
            continue;
        int day = tm.tm_mday;
        time_t at = mktime(&tm);
        if (at == (time_t)-1 || tm.tm_mday != day)
            return false;
        *out_ms = (int64_t)at * 1000;
        return true;
    }
    return false;
}

int parse_time(const char *text, int64_t wall_ms, int64_t *out_wall_ms)
{
    int64_t age_ms;
    if (text_duration(text, &age_ms) == 0) {
        *out_wall_ms = wall_ms - age_ms;
        return 0;
    }
    if (text_utc(text, out_wall_ms) == 0)
        return 0;
    return read_local(text, wall_ms, out_wall_ms) ? 0 : ERROR_SYNTAX;
}

/* ---- values --------------------------------------------------------------------------------------------------- */

static int add_word(struct parser *p, struct words *words, const char *word)
{
    if (words->count >= WORDS_MAX)
        return why_say(p->why, ERROR_LIMIT, "more than %d values", WORDS_MAX);
    if ((words->count & (words->count - 1)) == 0) {
        const char **grown = arena_array(p->arena, words->count ? 2 * words->count : 1, sizeof *grown);
        if (words->count)
            memcpy(grown, words->items, words->count * sizeof *grown);
        words->items = grown;
    }
    words->items[words->count++] = word;
    return 0;
}

static int store_flag(struct parser *p, void *target, const char *value)
{
    (void)p, (void)value;
    *(bool *)target = true;
    return 0;
}

static int store_count(struct parser *p, void *target, const char *value)
{
    (void)p, (void)value;
    ++*(unsigned *)target;
    return 0;
}

static int store_text(struct parser *p, void *target, const char *value)
{
    (void)p;
    *(const char **)target = value;
    return 0;
}

static int store_list(struct parser *p, void *target, const char *value)
{
    return add_word(p, target, value);
}

static int store_number(struct parser *p, void *target, const char *value)
{
    (void)p;
    int64_t number;
    if (text_integer(value, &number) != 0 || number < 1)
        return ERROR_SYNTAX;
    *(int64_t *)target = number;
    return 0;
}

static int store_seconds(struct parser *p, void *target, const char *value)
{
    (void)p;
    return parse_seconds(value, target);
}

static int store_time(struct parser *p, void *target, const char *value)
{
    return parse_time(value, p->wall_ms, target);
}

static int store_format(struct parser *p, void *target, const char *value)
{
    (void)p;
    bool json = strcmp(value, "json") == 0;
    if (!json && strcmp(value, "text") != 0)
        return ERROR_SYNTAX;
    *(enum format *)target = json ? FORMAT_JSON : FORMAT_TEXT;
    return 0;
}

/* How a kind is stored, and what it wants when the value is refused. */
static const struct {
    int (*store)(struct parser *p, void *target, const char *value);
    const char *wants;
} kinds[OPTION_KIND_COUNT] = {
    [OPTION_FLAG] = { store_flag, "" },
    [OPTION_COUNT] = { store_count, "" },
    [OPTION_TEXT] = { store_text, "" },
    [OPTION_LIST] = { store_list, "" },
    [OPTION_NUMBER] = { store_number, "a whole number above 0" },
    [OPTION_SECONDS] = { store_seconds, "seconds above 0, or a duration such as 500ms or 2m" },
    [OPTION_TIME] = { store_time, "an age such as 1h, or a time such as '2026-11-21 10:00'" },
    [OPTION_FORMAT] = { store_format, "text or json" },
};

static int store(struct parser *p, const struct option *option, int level, const char *value)
{
    void *target = (char *)p->parsed->args[level] + option->target;
    int code = kinds[option->kind].store(p, target, value);
    if (code == ERROR_SYNTAX || code == ERROR_RANGE)
        return why_say(p->why, code, "'--%s' wants %s, not '%s'", option->name, kinds[option->kind].wants, value);
    return code;
}

/* ---- levels --------------------------------------------------------------------------------------------------- */

/* The fallback of an optional argument is used only when the option is given. */
static bool argument_optional(const struct option *option)
{
    return option->argument && option->argument[0] == '[';
}

static int enter(struct parser *p, int depth, const struct verb *verb)
{
    p->parsed->depth = depth;
    p->parsed->levels[depth] = verb;
    p->parsed->args[depth] = arena_alloc(p->arena, verb->args_size ? verb->args_size : 1);
    p->taken = 0;
    for (const struct option *o = verb->options; o && o->name; o++) {
        int code = o->fallback && !argument_optional(o) ? store(p, o, depth, o->fallback) : 0;
        if (code != 0)
            return code;
    }
    return 0;
}

static const struct verb *find_verb(const struct verb *verb, const char *name)
{
    for (const struct verb *const *v = verb->verbs; v && *v; v++)
        if (strcmp((*v)->name, name) == 0)
            return *v;
    return NULL;
}

const struct option *parse_find_option(const struct parsed *parsed, const char *name, size_t length, char letter,
                                       int *level)
{
    for (*level = parsed->depth; *level >= 0; --*level)
        for (const struct option *o = parsed->levels[*level]->options; o && o->name; o++)
            if (name ? strlen(o->name) == length && memcmp(o->name, name, length) == 0 : o->letter == letter)
                return o;
    return NULL;
}

/* ", did you mean 'X'?" or "". */
static const char *suggest(struct parser *p, const char *name, const char *const *candidates, const char *prefix)
{
    const char *near = text_nearest(name, candidates);
    return near ? arena_print(p->arena, ", did you mean '%s%s'?", prefix, near) : "";
}

static int unknown_option(struct parser *p, const char *name)
{
    const char *candidates[CANDIDATES_MAX + 1] = { NULL };
    size_t n = 0;
    for (int level = p->parsed->depth; level >= 0; level--)
        for (const struct option *o = p->parsed->levels[level]->options; o && o->name && n < CANDIDATES_MAX; o++)
            if (!o->hidden)
                candidates[n++] = o->name;
    return why_say(p->why, ERROR_UNKNOWN_NAME, "unknown option '--%s'%s", name, suggest(p, name, candidates, "--"));
}

static int unknown_verb(struct parser *p, const char *name)
{
    const struct verb *verb = innermost(p->parsed);
    const char *candidates[CANDIDATES_MAX + 1] = { NULL };
    size_t n = 0;
    for (const struct verb *const *v = verb->verbs; v && *v && n < CANDIDATES_MAX; v++)
        if (!(*v)->hidden)
            candidates[n++] = (*v)->name;
    return why_say(p->why, ERROR_UNKNOWN_NAME, "unknown verb '%s'%s", name, suggest(p, name, candidates, ""));
}

/* ---- the pass ------------------------------------------------------------------------------------------------- */

/* The next word, taken as the argument of an option. */
static int store_next(struct parser *p, const struct option *option, int level)
{
    const char *next = p->at + 1 < p->argc ? p->argv[p->at + 1] : NULL;
    int64_t ignored;
    if (argument_optional(option)) {
        bool given = next && parse_seconds(next, &ignored) == 0;
        p->at += given;
        return store(p, option, level, given ? next : option->fallback);
    }
    if (next == NULL)
        return why_say(p->why, ERROR_SYNTAX, "option '--%s' wants %s", option->name, option->argument);
    p->at++;
    return store(p, option, level, next);
}

static int take_long(struct parser *p, const char *word)
{
    const char *equals = strchr(word, '=');
    size_t length = equals ? (size_t)(equals - word) : strlen(word);
    int level;
    const struct option *option = parse_find_option(p->parsed, word, length, 0, &level);
    if (option == NULL)
        return unknown_option(p, arena_text_n(p->arena, word, length));
    if (option->argument == NULL && equals)
        return why_say(p->why, ERROR_SYNTAX, "option '--%s' takes no argument", option->name);
    if (option->argument == NULL)
        return store(p, option, level, NULL);
    return equals ? store(p, option, level, equals + 1) : store_next(p, option, level);
}

static int take_letters(struct parser *p, const char *letters)
{
    for (; *letters; letters++) {
        int level;
        const struct option *option = parse_find_option(p->parsed, NULL, 0, *letters, &level);
        if (option == NULL)
            return why_say(p->why, ERROR_UNKNOWN_NAME, "unknown option '-%c'", *letters);
        if (option->argument)
            return letters[1] ? store(p, option, level, letters + 1) : store_next(p, option, level);
        int code = store(p, option, level, NULL);
        if (code != 0)
            return code;
    }
    return 0;
}

static int take_argument(struct parser *p, const char *word)
{
    size_t i = 0;
    const struct argument *a = innermost(p->parsed)->arguments;
    for (; a && a->name && i < p->taken && !a->many; a++)
        i++;
    if (a == NULL || a->name == NULL)
        return why_say(p->why, ERROR_SYNTAX, "one argument too many: '%s'", word);
    p->taken++;
    void *target = (char *)p->parsed->args[p->parsed->depth] + a->target;
    if (a->many)
        return add_word(p, target, word);
    *(const char **)target = word;
    return 0;
}

static int take_word(struct parser *p, const char *word)
{
    const struct verb *verb = innermost(p->parsed);
    if (verb->verbs == NULL || p->taken > 0)
        return take_argument(p, word);
    const struct verb *below = find_verb(verb, word);
    if (below == NULL)
        return verb->arguments ? take_argument(p, word) : unknown_verb(p, word);
    assert(p->parsed->depth + 1 < PARSE_DEPTH_MAX);
    return enter(p, p->parsed->depth + 1, below);
}

int parse_command(struct arena *arena, const struct verb *root, int argc, char *const *argv, int64_t wall_ms,
                  struct parsed *out, struct why *why)
{
    struct parser p = { .arena = arena, .parsed = out, .argv = argv, .argc = argc, .wall_ms = wall_ms, .why = why };
    int code = enter(&p, 0, root);
    for (p.at = 1; p.at < argc && code == 0; p.at++) {
        const char *word = argv[p.at];
        if (!p.plain && strcmp(word, "--") == 0)
            p.plain = true;
        else if (!p.plain && strncmp(word, "--", 2) == 0)
            code = take_long(&p, word + 2);
        else if (!p.plain && word[0] == '-' && word[1])
            code = take_letters(&p, word + 1);
        else
            code = take_word(&p, word);
    }
    return code;
}

int parse_complete(const struct parsed *parsed, struct why *why)
{
    const struct verb *verb = innermost(parsed);
    if (verb->run == NULL)
        return why_say(why, ERROR_SYNTAX, "a verb is missing");
    const char *args = parsed->args[parsed->depth];
    for (const struct argument *a = verb->arguments; a && a->name; a++)
        if (a->required && !a->many && *(const char *const *)(const void *)(args + a->target) == NULL)
            return why_say(why, ERROR_SYNTAX, "%s is missing", a->name);
    return 0;
}

const char *parse_path(struct arena *arena, const struct parsed *parsed)
{
    const char *path = parsed->levels[0]->name;
    for (int i = 1; i <= parsed->depth; i++)
        path = arena_print(arena, "%s %s", path, parsed->levels[i]->name);
    return path;
}
