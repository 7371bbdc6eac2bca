/* SPDX-License-Identifier: GPL-3.0-or-later */
/* config_source - reads a configuration file so that libconfig can be trusted with it.
 *
 * libconfig 1.5 stops at its first syntax error and says no more than "syntax error", lets integers wrap, reads 010 as
 * 10, drops \x00, accepts invalid UTF-8, takes includes relative to the working directory, searches duplicates in
 * quadratic time and only bounds nesting by its memory. So a scanner walks the text first. It knows tokens and
 * which may follow which (config_syntax.c), splices includes in, and writes the
 * tokens to the text that libconfig gets, one line for each line of the files: source_place() leads from there back to
 * file and line.
 *
 * What it changes on the way: integers become 64-bit ones (5 is written 5L), so that none can wrap; a name given twice
 * in one group gets a name that no file can contain (*1, *2, ...), so that libconfig reads on; @include lines become
 * the included text.
 *
 * What it reports is final for the line. What libconfig would refuse is mended (config_syntax.c), so that the rest of
 * the file is checked in the same pass: a word gets its quotes, a missing '=' or value is put in. Only where it is not
 * clear what was meant (brackets, a text without its end) the source is `broken` and not parsed. When a name can't be
 * one, or an include can't be read, the source is `incomplete`: what seems to be missing may be there. */
#include "core/config/config_source.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/file.h"
#include "core/base/text.h"
#include "core/base/utf8.h"
#include "core/config/config_syntax.h"

/* Names in one group: libconfig compares each with each (5,000: 0.1 s; 20,000: 2 s). */
#define GROUP_NAMES_MAX 5000
#define TEXT_BYTES_MAX (4 * CONFIG_FILE_BYTES_MAX)
#define WORD_SHOWN 40

struct scanner {
    struct source *source;
    struct source_files *files;
    struct report *report;
    struct arena *arena;
    struct syntax *syntax;
    const struct scanner *includer;
    unsigned include_depth;
    unsigned base; /* depth of brackets where the file begins */
    dev_t device;  /* which file it is: an include of itself is a loop */
    ino_t inode;
    const char *file, *at, *end;
    int line;
    bool stop;
};

static void read_one(struct scanner *s, const char *path, struct place from);

static struct place here(const struct scanner *s)
{
    return (struct place){ s->file, s->line };
}

/* ---- the text for libconfig ---------------------------------------------------------------------------------- */

static void add_span(struct scanner *s)
{
    struct source *source = s->source;
    if ((source->span_count & (source->span_count - 1)) == 0)
        source->spans =
            heap_grow(source->spans, source->span_count ? 2 * (size_t)source->span_count : 1, sizeof(*source->spans));
    source->spans[source->span_count++] = (struct source_span){ source->text_line, here(s) };
}

static void put(struct scanner *s, const char *text, size_t n)
{
    buf_add(&s->source->text, text, n);
    buf_char(&s->source->text, ' ');
}

static void put_line(struct scanner *s)
{
    buf_char(&s->source->text, '\n');
    s->source->text_line++;
}

static void next_line(struct scanner *s)
{
    s->line++;
    put_line(s);
}

/* ---- tokens ----------------------------------------------------------------------------------------------------- */

static void break_source(struct scanner *s, const char *format, const char *token)
{
    s->source->broken = true;
    report_broken(s->report, here(s), format, token);
}

static char *other_name(struct scanner *s)
{
    return arena_print(s->arena, "*%u", ++s->syntax->renamed);
}

/* A mend with the token in it. */
static void put_mended(struct scanner *s, const char *mend, const char *text, size_t n)
{
    struct buf *out = &s->source->text;
    for (; *mend; mend++) {
        bool token = *mend == '%';
        for (size_t i = 0; i < (token ? n : 1); i++)
            if (!token || text[i] != '\\' || text[0] == '"')
                buf_char(out, token ? text[i] : *mend);
    }
    buf_char(out, ' ');
}

/* Checks that the token may stand here, and gives libconfig `given` for it; afterwards it is taken as if it might. */
static void judge(struct scanner *s, enum token token, const char *text, size_t n, const char *given)
{
    struct mistake mistake = syntax_judge(s->syntax, token);
    if (mistake.said)
        report_broken(s->report, here(s), mistake.said, arena_text_n(s->arena, text, n < WORD_SHOWN ? n : WORD_SHOWN));
    s->source->mended |= mistake.said && mistake.mend;
    if (!mistake.mend) {
        s->source->broken = true;
    } else if (strcmp(mistake.mend, SYNTAX_OTHER_NAME) == 0) {
        const char *name = other_name(s);
        s->source->incomplete = true;
        put(s, name, strlen(name));
    } else {
        put_mended(s, mistake.mend, given, strlen(given));
    }
}

static void take_name(struct scanner *s, const char *text, size_t n)
{
    struct bracket *bracket = &s->syntax->stack[s->syntax->depth];
    char *name = arena_text_n(s->arena, text, n);
    const struct place *before = map_get(&bracket->names, name);
    s->syntax->expect = AFTER_NAME;
    if (before) {
        report_error(s->report, here(s), "'%s' was given already at %s:%d: remove one of the two, or rename it", name,
                     before->file, before->line);
        const char *other = other_name(s);
        put(s, other, strlen(other));
        return;
    }
    struct place *place = arena_alloc(s->arena, sizeof(*place));
    *place = here(s);
    map_put(&bracket->names, name, place);
    if (bracket->names.count == GROUP_NAMES_MAX + 1) {
        break_source(
            s, "more than 5000 settings in one group: spread them over several files in conf_dir, or write a list",
            NULL);
        s->stop = true;
    }
    put(s, text, n);
}

static void open_bracket(struct scanner *s, char open)
{
    const char *said = syntax_judge_open(s->syntax, open);
    judge(s, T_OPEN, &open, 1, (const char[]){ open, '\0' });
    if (said)
        break_source(s, said, NULL);
    if (s->syntax->depth == CONFIG_NESTING_MAX) {
        s->stop = true;
        return;
    }
    syntax_push(s->syntax, open, here(s));
}

static void close_bracket(struct scanner *s, char close)
{
    struct syntax *syntax = s->syntax;
    judge(s, T_CLOSE, &close, 1, (const char[]){ close, '\0' });
    if (syntax->depth == s->base) {
        break_source(s, "'%s' closes nothing: remove it, or look for one too many above",
                     arena_text_n(s->arena, &close, 1));
        syntax->expect = IN_GROUP;
        return;
    }
    struct bracket *bracket = &syntax->stack[syntax->depth];
    if (bracket->close != close) {
        s->source->broken = true;
        report_broken(s->report, here(s), "'%c' where '%c' should close what %s:%d opened", close, bracket->close,
                      bracket->place.file, bracket->place.line);
    }
    syntax_pop(syntax);
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_name(const char *text, size_t n)
{
    if (!is_letter(text[0]))
        return false;
    for (size_t i = 1; i < n; i++)
        if (!is_letter(text[i]) && !is_digit(text[i]) && text[i] != '-' && text[i] != '_')
            return false;
    return true;
}

/* A word ends at a space, a bracket or a sign; where a value stands, it may be a URL or a range without its quotes, and
 * only a comment with a space before it ends it. */
static size_t word_length(const struct scanner *s)
{
    enum expect expect = s->syntax->expect;
    bool value = expect != IN_GROUP && expect != AFTER_NAME && expect != AFTER_VALUE;
    const char *at = s->at;
    while (at < s->end && !strchr(value ? " \t\r\n\f;,{}()[]\"#=" : " \t\r\n\f;,{}()[]\"#=:", *at)) {
        bool comment = *at == '/' && at + 1 < s->end && (at[1] == '/' || at[1] == '*');
        if (comment && !(at > s->at && at[-1] == ':'))
            break;
        at++;
    }
    return at > s->at ? (size_t)(at - s->at) : 1;
}

static bool ends_in_fold(const char *word, const char *constant)
{
    for (; *word && *constant; word++, constant++)
        if ((*word | 0x20) != *constant)
            return false;
    return *word == *constant;
}

/* An integer or a fraction as libconfig shall read it, or NULL when the word is none. */
static const char *number(struct scanner *s, char *word)
{
    size_t n = strlen(word);
    bool negative = word[0] == '-', sign = negative || word[0] == '+';
    if (!is_digit(word[0]) && word[0] != '.' && !sign)
        return NULL;
    if (strspn(word + sign, "0123456789") + sign < n && word[n - 1] == 'L')
        word[strcspn(word, "L")] = '\0';
    const char *digits = word + sign;
    if (digits[0] == '0' && is_digit(digits[1]))
        report_broken(s->report, here(s), "'%.40s' begins with 0 and could be meant as octal: write it without", word);
    int64_t integer;
    double fraction;
    const char *plain = negative ? word : digits;
    int got = text_integer(plain, &integer);
    if (got == 0)
        return arena_print(s->arena, "%lldL", (long long)integer);
    if (got != ERROR_RANGE)
        got = text_number(plain, &fraction);
    if (got == 0)
        return plain;
    if (got == ERROR_RANGE)
        report_broken(s->report, here(s), "'%.40s' doesn't fit into 64 bits: write a smaller number, or text in quotes",
                      word);
    else
        report_broken(s->report, here(s), "'%.40s' is not a decimal number: write \"%.40s\" in quotes", word, word);
    return got == ERROR_RANGE ? "0L" : arena_print(s->arena, "\"%s\"", word);
}

static void take_word(struct scanner *s)
{
    struct syntax *syntax = s->syntax;
    size_t n = word_length(s);
    char *word = arena_text_n(s->arena, s->at, n);
    const char *value = ends_in_fold(word, "true") || ends_in_fold(word, "false") ? word : NULL;
    bool wants_name = syntax->expect == IN_GROUP || syntax->expect == AFTER_VALUE;
    if (!value && !wants_name)
        value = number(s, word);
    else if (!value && is_digit(word[0]) && syntax->expect == AFTER_VALUE)
        value = word;
    enum token token = value ? T_VALUE : is_name(word, n) ? T_NAME : T_WORD;
    bool names = token == T_NAME && syntax_in_group(syntax) && syntax->expect != AFTER_EQUALS;
    bool unnamed = token == T_WORD && syntax->expect == IN_GROUP;
    judge(s, token, s->at, n, names ? "" : value ? value : word);
    if (names)
        take_name(s, s->at, n);
    else
        syntax->expect = unnamed ? AFTER_NAME : syntax_after_value(syntax);
    s->at += n;
}

/* One character of a text that is not plain; returns how many bytes it takes. */
static size_t take_special(struct scanner *s)
{
    const char *at = s->at;
    if (*at != '\\') {
        report_broken(s->report, here(s), "control character 0x%02x in a text: write it as an escape, or remove it",
                      (unsigned char)*at);
        return 1;
    }
    char next = at + 1 < s->end ? at[1] : '\n';
    if (next != '\n' && strchr("nrtf\\\"", next))
        return 2;
    if ((next == 'x' || next == 'X') && s->end - at >= 4 && strspn(at + 2, "0123456789abcdefABCDEF") >= 2) {
        if (at[2] == '0' && at[3] == '0')
            report_broken(s->report, here(s), "'\\x00' can't be part of a text: remove it");
        return 4;
    }
    report_broken(s->report, here(s),
                  "'\\%.*s' is no escape: write '\\\\' for a backslash (escapes: \\n \\r \\t \\f "
                  "\\\" \\\\ \\xHH)",
                  next == '\n' ? 0 : 1, at + 1);
    return next == '\n' ? 1 : 2;
}

/* A text must end on its line: a forgotten quote then costs that line and not the rest of the file. */
static void take_text(struct scanner *s)
{
    const char *begin = s->at++;
    while (s->at < s->end && *s->at != '"' && *s->at != '\n')
        s->at +=
            *s->at == '\\' || ((unsigned char)*s->at < 0x20 && *s->at != '\t' && *s->at != '\r') ? take_special(s) : 1;
    bool ended = s->at < s->end && *s->at == '"';
    s->at += ended;
    judge(s, T_TEXT, begin, 1, arena_text_n(s->arena, begin, (size_t)(s->at - begin)));
    if (s->syntax->expect == IN_GROUP || s->syntax->expect == AFTER_NAME)
        s->syntax->expect = s->syntax->expect == IN_GROUP ? AFTER_NAME : AFTER_VALUE;
    else
        s->syntax->expect = syntax_after_value(s->syntax);
    if (!ended)
        break_source(s, "the closing '\"' is missing: a text ends on the line where it begins", NULL);
}

static void skip_line(struct scanner *s)
{
    while (s->at < s->end && *s->at != '\n')
        s->at++;
}

static void skip_comment(struct scanner *s)
{
    struct place begin = here(s);
    for (s->at += 2; s->at < s->end; s->at++) {
        if (*s->at == '*' && s->at + 1 < s->end && s->at[1] == '/') {
            s->at += 2;
            return;
        }
        if (*s->at == '\n')
            next_line(s);
    }
    s->source->broken = true;
    report_broken(s->report, begin, "this comment is never closed: write */ at its end");
}

/* ---- includes ------------------------------------------------------------------------------------------------ */

static char *folder_of(struct arena *arena, const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? arena_text_n(arena, path, slash == path ? 1 : (size_t)(slash - path)) : arena_text(arena, ".");
}

static void take_include(struct scanner *s)
{
    enum expect expect = s->syntax->expect;
    struct place from = here(s);
    s->at += strlen("@include");
    while (s->at < s->end && (*s->at == ' ' || *s->at == '\t'))
        s->at++;
    const char *begin = s->at + 1;
    size_t n = s->at < s->end && *s->at == '"' ? strcspn(begin, "\"\n\\") : 0;
    if (n == 0 || begin[n] != '"' || (expect != IN_GROUP && expect != AFTER_VALUE)) {
        break_source(s, "an include stands between settings: @include \"file\"", NULL);
        skip_line(s);
        s->syntax->expect = syntax_in_group(s->syntax) ? IN_GROUP : s->syntax->expect;
        return;
    }
    char *name = arena_text_n(s->arena, begin, n);
    s->at = begin + n + 1;
    if (s->include_depth == CONFIG_INCLUDE_DEPTH_MAX) {
        report_error(s->report, from, "more than 10 includes inside each other: '%s' is not read", name);
        s->source->incomplete = true;
        s->syntax->expect = IN_GROUP;
        return;
    }
    put_line(s);
    read_one(s, name[0] == '/' ? name : file_join(s->arena, folder_of(s->arena, s->file), name), from);
    s->syntax->expect = IN_GROUP;
    put_line(s);
    add_span(s);
}

/* ---- a file -------------------------------------------------------------------------------------------------- */

static void take_sign(struct scanner *s, char c)
{
    struct syntax *syntax = s->syntax;
    enum token token = c == ',' ? T_COMMA : c == ';' ? T_SEMICOLON : T_EQUALS;
    judge(s, token, s->at, 1, (const char[]){ c, '\0' });
    if (token == T_EQUALS)
        syntax->expect = syntax_in_group(syntax) ? AFTER_EQUALS : AFTER_COMMA;
    else
        syntax->expect = syntax_in_group(syntax) ? IN_GROUP : AFTER_COMMA;
    s->at++;
}

static void take_token(struct scanner *s)
{
    char c = *s->at;
    char next = s->at + 1 < s->end ? s->at[1] : '\0';
    if (c == '\n')
        next_line(s);
    if (strchr(" \t\r\f\n", c)) {
        s->at++;
    } else if (c == '#' || (c == '/' && next == '/')) {
        skip_line(s);
    } else if (c == '/' && next == '*') {
        skip_comment(s);
    } else if (c == '"') {
        take_text(s);
    } else if (strchr("=:,;", c)) {
        take_sign(s, c);
    } else if (strchr("{([", c)) {
        open_bracket(s, c);
        s->at++;
    } else if (strchr("})]", c)) {
        close_bracket(s, c);
        s->at++;
    } else if (c == '@' && strncmp(s->at, "@include", 8) == 0) {
        take_include(s);
    } else {
        take_word(s);
    }
}

/* Remembers where the last top-level setting ends. */
static void note_whole(struct scanner *s)
{
    const struct syntax *syntax = s->syntax;
    if (!s->source->broken && syntax->depth == 0 && (syntax->expect == IN_GROUP || syntax->expect == AFTER_VALUE))
        s->source->whole_bytes = s->source->text.length;
}

static void scan(struct scanner *s)
{
    while (s->at < s->end && !s->stop) {
        take_token(s);
        note_whole(s);
    }
    if (s->stop)
        return;
    judge(s, T_END, "end of file", strlen("end of file"), "");
    while (s->syntax->depth > s->base) {
        const struct bracket *bracket = &s->syntax->stack[s->syntax->depth];
        s->source->broken = true;
        report_broken(s->report, bracket->place, "this bracket is never closed: write '%c' at its end", bracket->close);
        syntax_pop(s->syntax);
    }
}

/* Bytes that have no business in a configuration, wherever they stand. */
static void check_bytes(struct scanner *s)
{
    const char *at = s->at;
    uint32_t character;
    struct place place = { s->file, 1 };
    if (strncmp(at, "\xef\xbb\xbf", 3) == 0) {
        report_broken(s->report, place, "a byte order mark begins the file: save it as UTF-8 without one");
        s->at += 3;
        at += 3;
    }
    while (at < s->end) {
        size_t n = *at ? utf8_next(at, &character) : 1;
        if (n == 0)
            report_broken(s->report, place, "byte 0x%02x is not UTF-8: save the file in that encoding",
                          (unsigned char)*at);
        if (*at == '\0') {
            report_broken(s->report, place, "a NUL byte: is this a text file?");
            s->source->broken = s->stop = true;
            return;
        }
        place.line += *at == '\n';
        at += n ? n : 1;
    }
}

static bool loops(const struct scanner *s, const struct stat *st)
{
    for (; s; s = s->includer)
        if (s->device == st->st_dev && s->inode == st->st_ino)
            return true;
    return false;
}

/* 0 with the file's text in s, or a negative code, said at `from`. */
static int load(struct scanner *s, const char *path, struct place from)
{
    struct stat st;
    char *text;
    size_t length;
    const char *said = NULL;
    int error = stat(path, &st) == 0 ? 0 : -errno;
    if (error == 0 && !S_ISREG(st.st_mode))
        said = "not a regular file";
    else if (error == 0 && s->includer && loops(s->includer, &st))
        said = "it is being read already: the includes run in a circle";
    else if (error == 0 && s->files->count == CONFIG_FILES_MAX)
        said = "more than 1024 files";
    else if (error == 0 && st.st_size > (off_t)CONFIG_FILE_BYTES_MAX)
        said = "larger than 8 MiB: split it into several files";
    else if (error == 0)
        error = file_read(s->arena, path, CONFIG_FILE_BYTES_MAX, &text, &length);
    if (said || error != 0) {
        report_error(s->report, from, "can't read '%s': %s", path, said ? said : error_text(error));
        return said ? ERROR_REFUSED : error;
    }
    s->files->paths[s->files->count++] = s->file = arena_text(s->files->arena, path);
    s->at = text;
    s->end = text + length;
    s->device = st.st_dev;
    s->inode = st.st_ino;
    return 0;
}

/* Reads and scans a file; includer is what said @include, or the start of the whole source. */
static void read_one(struct scanner *includer, const char *path, struct place from)
{
    struct scanner s = *includer;
    s.includer = includer->file ? includer : NULL;
    s.include_depth = includer->file ? includer->include_depth + 1 : 0;
    s.base = s.syntax->depth;
    s.line = 1;
    if (load(&s, path, from) != 0) {
        s.source->incomplete = true;
        return;
    }
    s.syntax->expect = IN_GROUP;
    add_span(&s);
    check_bytes(&s);
    scan(&s);
    includer->stop = s.stop;
    if (s.source->text.overflowed) {
        report_broken(s.report, from, "with its includes the file is larger than 32 MiB: include less");
        s.source->broken = includer->stop = true;
    }
}

void source_read(struct source *source, const char *path, struct source_files *files, struct report *report)
{
    struct arena arena = { 0 };
    struct syntax syntax;
    struct scanner start = { .source = source, .files = files, .report = report, .arena = &arena, .syntax = &syntax };
    syntax_open(&syntax);
    source->text.max_bytes = TEXT_BYTES_MAX;
    source->text_line = 1;
    read_one(&start, path, (struct place){ path, 0 });
    syntax_close(&syntax);
    buf_char(&source->text, '\n');
    arena_close(&arena);
}

void source_close(struct source *source)
{
    buf_close(&source->text);
    free(source->spans);
    *source = (struct source){ 0 };
}

struct place source_place(const struct source *source, unsigned text_line)
{
    uint32_t low = 0, high = source->span_count;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (source->spans[middle].text_line <= text_line)
            low = middle;
        else
            high = middle;
    }
    if (high == 0)
        return (struct place){ 0 };
    struct place place = source->spans[low].place;
    if (text_line > source->spans[low].text_line)
        place.line += (int)(text_line - source->spans[low].text_line);
    return place;
}
