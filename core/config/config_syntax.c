/* SPDX-License-Identifier: GPL-3.0-or-later */
/* config_syntax - the grammar of libconfig 1.5:
 *
 *     group: setting...      setting: name (= or :) value [; or ,]
 *     value: text... | number | true | false | { group } | [ value, ... ] | ( value, ... )
 *
 * It is a little stricter: texts one after the other, which libconfig joins, are a forgotten comma in a list.
 *
 * Most mistakes can be mended for libconfig, so that one pass also finds what is wrong further down: it gets `mend`
 * instead of the token. */
#include "core/config/config_syntax.h"

#include <string.h>

/* The mends, % being the token. */
#define AS_TEXT "\"%\""
#define AFTER_A_COMMA ", %"
#define AFTER_EQUALS_SIGN "= %"
#define AFTER_A_VALUE "0L %"
#define AFTER_BOTH "= 0L %"
#define AFTER_A_COMMA_AS_TEXT ", \"%\""
#define NOT_AT_ALL ""
#define OTHER_NAME SYNTAX_OTHER_NAME

#define QUOTE_IT(mend)                                                                                                 \
    {                                                                                                                  \
        "text is written in quotes: \"%.40s\"", mend                                                                   \
    }
#define NAME_FIRST                                                                                                     \
    {                                                                                                                  \
        "a setting begins with its name, without quotes: name = value;", NULL                                          \
    }
#define NO_VALUE                                                                                                       \
    {                                                                                                                  \
        "the value is missing: write name = value;", AFTER_A_VALUE                                                     \
    }
#define TOO_MUCH(mend)                                                                                                 \
    {                                                                                                                  \
        "one '%.40s' too much: remove it", mend                                                                        \
    }
#define NO_COMMA(mend)                                                                                                 \
    {                                                                                                                  \
        "a comma is missing between two items", mend                                                                   \
    }
#define NO_EQUALS(mend)                                                                                                \
    {                                                                                                                  \
        "'=' is missing after the name: write name = value;", mend                                                     \
    }
#define NAMED_IN_LIST                                                                                                  \
    {                                                                                                                  \
        "'%.40s' in a list: named values are written in a group, { name = value; }", NULL                              \
    }

/* What is wrong with a token where something else is expected; nothing said: nothing. T_WORD is only right nowhere. */
static const struct mistake wrong[EXPECT_COUNT][T_COUNT] = {
    [IN_GROUP] = { [T_EQUALS] = { "a name is missing before '%.40s'", NULL },
                   [T_TEXT] = NAME_FIRST,
                   [T_VALUE] = NAME_FIRST,
                   [T_WORD] = { "'%.40s' can't be a name here: names are letters, digits, '-' and '_', a letter first "
                                "(other names in a list: ( { name = \"...\"; ... } ))",
                                OTHER_NAME },
                   [T_OPEN] = { "a name is missing before '%.40s': write name = { ... };", NULL },
                   [T_COMMA] = TOO_MUCH(NOT_AT_ALL),
                   [T_SEMICOLON] = TOO_MUCH(NOT_AT_ALL) },
    [AFTER_NAME] = { [T_NAME] = NO_EQUALS(NULL),
                     [T_TEXT] = NO_EQUALS(AFTER_EQUALS_SIGN),
                     [T_VALUE] = NO_EQUALS(AFTER_EQUALS_SIGN),
                     [T_WORD] = NO_EQUALS(NULL),
                     [T_OPEN] = NO_EQUALS(AFTER_EQUALS_SIGN),
                     [T_CLOSE] = NO_EQUALS(AFTER_BOTH),
                     [T_COMMA] = NO_EQUALS(AFTER_BOTH),
                     [T_SEMICOLON] = NO_EQUALS(AFTER_BOTH),
                     [T_END] = NO_EQUALS(AFTER_BOTH) },
    [AFTER_EQUALS] = { [T_NAME] = QUOTE_IT(AS_TEXT),
                       [T_EQUALS] = TOO_MUCH(NOT_AT_ALL),
                       [T_WORD] = QUOTE_IT(AS_TEXT),
                       [T_CLOSE] = NO_VALUE,
                       [T_COMMA] = NO_VALUE,
                       [T_SEMICOLON] = NO_VALUE,
                       [T_END] = NO_VALUE },
    [AFTER_VALUE] = { [T_EQUALS] = TOO_MUCH(NULL),
                      [T_VALUE] = { "a second value, '%.40s': text is written in quotes, a list as [ \"a\", \"b\" ]",
                                    NOT_AT_ALL },
                      [T_WORD] = { "'%.40s' after a value: text is written in quotes, a list as [ \"a\", \"b\" ]",
                                   NOT_AT_ALL },
                      [T_OPEN] = { "'%.40s' after a value: a ';' and a name are missing between them", NULL } },
    [IN_LIST] = { [T_NAME] = QUOTE_IT(AS_TEXT),
                  [T_EQUALS] = NAMED_IN_LIST,
                  [T_WORD] = QUOTE_IT(AS_TEXT),
                  [T_COMMA] = TOO_MUCH(NOT_AT_ALL),
                  [T_SEMICOLON] = TOO_MUCH(NOT_AT_ALL) },
    [AFTER_COMMA] = { [T_NAME] = QUOTE_IT(AFTER_A_COMMA_AS_TEXT),
                      [T_EQUALS] = NAMED_IN_LIST,
                      [T_WORD] = QUOTE_IT(AFTER_A_COMMA_AS_TEXT),
                      [T_CLOSE] = { "the comma before '%.40s' is too much: remove it", "%" },
                      [T_COMMA] = TOO_MUCH(NOT_AT_ALL),
                      [T_SEMICOLON] = TOO_MUCH(NOT_AT_ALL) },
    [AFTER_ITEM] = { [T_NAME] = NO_COMMA(AFTER_A_COMMA_AS_TEXT),
                     [T_EQUALS] = NAMED_IN_LIST,
                     [T_TEXT] = NO_COMMA(AFTER_A_COMMA),
                     [T_VALUE] = NO_COMMA(AFTER_A_COMMA),
                     [T_WORD] = NO_COMMA(AFTER_A_COMMA_AS_TEXT),
                     [T_OPEN] = NO_COMMA(AFTER_A_COMMA),
                     [T_SEMICOLON] = { "items are separated by ',', not by ';'", NOT_AT_ALL } },
};

void syntax_open(struct syntax *syntax)
{
    memset(syntax, 0, sizeof(*syntax));
    syntax->stack[0].close = '}';
}

void syntax_close(struct syntax *syntax)
{
    for (unsigned i = 0; i <= syntax->depth; i++)
        map_close(&syntax->stack[i].names);
}

bool syntax_in_group(const struct syntax *syntax)
{
    return syntax->stack[syntax->depth].close == '}';
}

enum expect syntax_after_value(const struct syntax *syntax)
{
    return syntax_in_group(syntax) ? AFTER_VALUE : AFTER_ITEM;
}

/* The comma of a list is given with the item that follows it: one before the closing bracket then never arrives. */
static const char *usual(const struct syntax *syntax, enum token token)
{
    bool item = token == T_TEXT || token == T_VALUE || token == T_OPEN;
    if (syntax_in_group(syntax))
        return "%";
    return token == T_COMMA ? NOT_AT_ALL : item && syntax->expect == AFTER_COMMA ? AFTER_A_COMMA : "%";
}

struct mistake syntax_judge(struct syntax *syntax, enum token token)
{
    struct mistake mistake = wrong[syntax->expect][token];
    if (token == T_TEXT && syntax->expect == AFTER_VALUE && syntax->last != T_TEXT)
        mistake = (struct mistake){ "a second value: a ';' and a name are missing before it", NOT_AT_ALL };
    if (!mistake.said)
        mistake.mend = usual(syntax, token);
    syntax->last = token;
    return mistake;
}

const char *syntax_judge_open(const struct syntax *syntax, char open)
{
    if (syntax->depth == CONFIG_NESTING_MAX)
        return "more than 32 brackets inside each other: nest less deeply";
    if (syntax->stack[syntax->depth].close != ']')
        return NULL;
    return open == '{' ? "a group inside [ ]: a list of groups is written ( { ... }, { ... } )"
                       : "a list inside [ ]: a list of lists is written ( [ ... ], [ ... ] )";
}

void syntax_push(struct syntax *syntax, char open, struct place place)
{
    char close = open == '{' ? '}' : open == '(' ? ')' : ']';
    syntax->stack[++syntax->depth] = (struct bracket){ .close = close, .place = place };
    syntax->expect = open == '{' ? IN_GROUP : IN_LIST;
}

void syntax_pop(struct syntax *syntax)
{
    map_close(&syntax->stack[syntax->depth].names);
    syntax->depth--;
    syntax->expect = syntax_after_value(syntax);
}
