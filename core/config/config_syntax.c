/* SPDX-License-Identifier: GPL-3.0-or-later */
/* config_syntax - the grammar of libconfig 1.5:
 *
 *     group: setting...      setting: name (= or :) value [; or ,]
 *     value: text... | number | true | false | { group } | [ value, ... ] | ( value, ... )
 *
 * It is a little stricter: texts one after the other, which libconfig joins, are a forgotten comma in a list. */
#include "core/config/config_syntax.h"

#include <string.h>

#define QUOTE_IT "text is written in quotes: \"%.40s\""
#define NAME_FIRST "a setting begins with its name, without quotes: name = value;"
#define NO_VALUE "the value is missing: write name = value;"
#define TOO_MUCH "one '%.40s' too much: remove it"
#define NO_COMMA "a comma is missing between two items"
#define NO_EQUALS "'=' is missing after the name: write name = value;"

/* What is wrong with a token (%s) where something else is expected; NULL: nothing. T_WORD is only right nowhere. */
static const char *const wrong[EXPECT_COUNT][T_COUNT] = {
    [IN_GROUP] = { [T_EQUALS] = "a name is missing before '%.40s'",
                   [T_TEXT] = NAME_FIRST,
                   [T_VALUE] = NAME_FIRST,
                   [T_WORD] = "'%.40s' can't be a name here: names are letters, digits, '-' and '_', a letter first "
                              "(other names in a list: ( { name = \"...\"; ... } ))",
                   [T_OPEN] = "a name is missing before '%.40s': write name = { ... };",
                   [T_COMMA] = TOO_MUCH,
                   [T_SEMICOLON] = TOO_MUCH },
    [AFTER_NAME] = { [T_NAME] = NO_EQUALS,
                     [T_TEXT] = NO_EQUALS,
                     [T_VALUE] = NO_EQUALS,
                     [T_WORD] = NO_EQUALS,
                     [T_OPEN] = NO_EQUALS,
                     [T_CLOSE] = NO_EQUALS,
                     [T_COMMA] = NO_EQUALS,
                     [T_SEMICOLON] = NO_EQUALS,
                     [T_END] = NO_EQUALS },
    [AFTER_EQUALS] = { [T_NAME] = QUOTE_IT,
                       [T_EQUALS] = TOO_MUCH,
                       [T_WORD] = QUOTE_IT,
                       [T_CLOSE] = NO_VALUE,
                       [T_COMMA] = NO_VALUE,
                       [T_SEMICOLON] = NO_VALUE,
                       [T_END] = NO_VALUE },
    [AFTER_VALUE] = { [T_EQUALS] = TOO_MUCH,
                      [T_VALUE] = "a second value, '%.40s': text is written in quotes, a list as [ \"a\", \"b\" ]",
                      [T_WORD] = "'%.40s' after a value: text is written in quotes, a list as [ \"a\", \"b\" ]",
                      [T_OPEN] = "'%.40s' after a value: a ';' and a name are missing between them" },
    [IN_LIST] = { [T_NAME] = QUOTE_IT,
                  [T_EQUALS] = "'%.40s' in a list: named values are written in a group, { name = value; }",
                  [T_WORD] = QUOTE_IT,
                  [T_COMMA] = TOO_MUCH,
                  [T_SEMICOLON] = TOO_MUCH,
                  [T_END] = NULL },
    [AFTER_COMMA] = { [T_NAME] = QUOTE_IT,
                      [T_EQUALS] = "'%.40s' in a list: named values are written in a group, { name = value; }",
                      [T_WORD] = QUOTE_IT,
                      [T_CLOSE] = "the comma before '%.40s' is too much: remove it",
                      [T_COMMA] = TOO_MUCH,
                      [T_SEMICOLON] = TOO_MUCH },
    [AFTER_ITEM] = { [T_NAME] = NO_COMMA,
                     [T_EQUALS] = "'%.40s' in a list: named values are written in a group, { name = value; }",
                     [T_TEXT] = NO_COMMA,
                     [T_VALUE] = NO_COMMA,
                     [T_WORD] = NO_COMMA,
                     [T_OPEN] = NO_COMMA,
                     [T_SEMICOLON] = "items are separated by ',', not by ';'" },
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

const char *syntax_judge(struct syntax *syntax, enum token token)
{
    const char *said = wrong[syntax->expect][token];
    if (token == T_TEXT && syntax->expect == AFTER_VALUE && syntax->last != T_TEXT)
        said = "a second value: a ';' and a name are missing before it";
    syntax->last = token;
    return said;
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
