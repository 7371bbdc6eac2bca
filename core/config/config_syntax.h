/* SPDX-License-Identifier: GPL-3.0-or-later */
/* config_syntax - libconfig's grammar as a table: which token may follow which, and what to say when it may not. Only
 * config_source.c includes this header. */
#ifndef CONFIG_CONFIG_SYNTAX_H
#define CONFIG_CONFIG_SYNTAX_H

#include "core/config/config_report.h"

enum token {
    T_NAME,
    T_EQUALS,
    T_TEXT,
    T_VALUE, /* number, true, false */
    T_WORD,  /* anything else without a space */
    T_OPEN,
    T_CLOSE,
    T_COMMA,
    T_SEMICOLON,
    T_END,
    T_COUNT
};

/* What may come next. */
enum expect {
    IN_GROUP,     /* a name */
    AFTER_NAME,   /* = */
    AFTER_EQUALS, /* a value */
    AFTER_VALUE,  /* ; or the next name */
    IN_LIST,      /* an item or the end */
    AFTER_COMMA,  /* an item */
    AFTER_ITEM,   /* a comma or the end */
    EXPECT_COUNT
};

struct bracket {
    char close;
    struct place place;
    struct map names; /* of a group: name -> struct place, for the scanner */
};

/* What includes share with the file that includes them. */
struct syntax {
    enum expect expect;
    enum token last;
    struct bracket stack[CONFIG_NESTING_MAX + 1]; /* [0] is the file itself */
    unsigned depth;
    unsigned renamed;
};

void syntax_open(struct syntax *syntax);
void syntax_close(struct syntax *syntax);
/* What is wrong with a token, and what libconfig gets in its place. */
struct mistake {
    const char *said; /* a format; %s: the token. NULL: nothing is wrong */
    const char *mend; /* "%" stands for the token; NULL: this can't be mended, and the file is not parsed */
};
/* As a mend: a name that no file contains. */
#define SYNTAX_OTHER_NAME "*"

struct mistake syntax_judge(struct syntax *syntax, enum token token);
/* What is wrong with a bracket inside the one that is open, or NULL. */
const char *syntax_judge_open(const struct syntax *syntax, char open);
bool syntax_in_group(const struct syntax *syntax);
/* What may come once a value is complete. */
enum expect syntax_after_value(const struct syntax *syntax);
/* At most CONFIG_NESTING_MAX deep: syntax_judge_open() says when it is too deep. */
void syntax_push(struct syntax *syntax, char open, struct place place);
void syntax_pop(struct syntax *syntax);

#endif
