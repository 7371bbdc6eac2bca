/* SPDX-License-Identifier: GPL-3.0-or-later */
/* verb - the one table a verb is: its name, arguments, options and what runs it. Parser (parse.c), --help and the
 * manual page (help.c, manual.c) and completion (complete.c) are all made from these tables; a new verb is one file and
 * one row in verbs.c.
 *
 * A verb's options are stored into a struct of its own (args_size bytes, zeroed), at the offset that each row names, so
 * that run() reads typed members and never text. `belfry` itself is the root verb: its options hold at every level,
 * unless a verb has one of the same letter (`belfry check -c` is a threshold, as in every Nagios plugin). */
#ifndef CLI_VERB_H
#define CLI_VERB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cli;

/* How an option's argument is read, and the type of its target. */
enum option_kind {
    OPTION_FLAG,    /* bool */
    OPTION_COUNT,   /* unsigned: how often it was given (-vv) */
    OPTION_TEXT,    /* const char * */
    OPTION_LIST,    /* struct words: may be given again */
    OPTION_NUMBER,  /* int64_t, 1 or more */
    OPTION_SECONDS, /* int64_t milliseconds; a plain number is seconds, as Nagios writes it */
    OPTION_TIME,    /* int64_t wall milliseconds: "1h" (ago), "2026-11-21 10:00" (local), "2026-11-21T10:00:00Z" */
    OPTION_FORMAT,  /* enum format */
    OPTION_KIND_COUNT
};

enum format {
    FORMAT_TEXT,
    FORMAT_JSON
};

/* What completes a word. */
enum words_of {
    WORDS_NONE,
    WORDS_FILE,
    WORDS_SERVICE,
    WORDS_CHECK,
    WORDS_SUBJECT, /* a service or a check */
    WORDS_BREAKER,
    WORDS_DRILL,
    WORDS_PLUGIN,
    WORDS_PICTURE, /* what can be drawn of the check that is the first argument */
    WORDS_METRIC,  /* its recorded metrics */
    WORDS_PART,    /* its recorded parts */
    WORDS_FORMAT,
    WORDS_SERIES, /* the formats of `belfry series` */
    WORDS_FUNCTION,
    WORDS_THEME, /* of a picture */
    WORDS_SIZE
};

/* Several values of one option or argument. */
struct words {
    const char **items;
    size_t count;
};

/* One option; the table ends with a row without name. */
struct option {
    char letter;          /* 0: none */
    const char *name;     /* long form without "--" */
    const char *argument; /* what its argument is called; NULL for a flag; "[X]" when it may be left out */
    const char *doc;
    enum option_kind kind;
    size_t target;
    const char
        *fallback; /* the value when it isn't given, as it would be written; for [X] the value without argument */
    enum words_of words;
    bool hidden;
};

/* One argument; the table ends with a row without name. */
struct argument {
    const char *name, *doc;
    bool required;
    bool many; /* all that remain; the target is a struct words */
    size_t target;
    enum words_of words;
};

/* What the exit status of a verb means. */
enum verb_exit {
    VERB_PLAIN, /* 0, 1 failed, 2 usage */
    VERB_STATE, /* a Nagios code; failure and usage are 3, UNKNOWN */
    VERB_NAGIOS /* likewise, with the reason as the first line on stdout; --help and --version are 3 too */
};

struct verb {
    const char *name, *summary;
    const char *description;          /* for --help and the manual page, or NULL */
    const char *const *examples;      /* "command", "what it does", ..., NULL; or NULL */
    const struct argument *arguments; /* or NULL */
    const struct option *options;     /* or NULL */
    size_t args_size;
    const struct verb *const *verbs; /* verbs below this one, NULL-terminated; or NULL */
    enum verb_exit exit;
    bool hidden;
    int (*run)(struct cli *cli, const void *args); /* returns the exit status; NULL when a verb below is wanted */
};

/* The root, `belfry`: all verbs hang below it. */
extern const struct verb verb_root;

extern const struct verb verb_breaker, verb_check, verb_complete, verb_config, verb_drill, verb_graph, verb_init,
    verb_journal, verb_journal_export, verb_journal_head, verb_journal_seal, verb_journal_verify, verb_plugins,
    verb_query, verb_reload, verb_run, verb_series, verb_status;

/* The root's options. */
struct globals {
    const char *config_file; /* NULL: not given */
    const char *socket;
    enum format format;
    bool help, version, manual;
};

#endif
