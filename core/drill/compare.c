/* SPDX-License-Identifier: GPL-3.0-or-later */
/* compare - the restored against what production had when it was dumped. Whoever dumps writes that into a file beside
 * the backup (shop.sql.gz.counts) or elsewhere, a line for each table:
 *
 *     orders<TAB>20417            rows (counts), or what CHECKSUM TABLE says (checksums)
 *     shop.users 311              of another database; any white space will do; # begins a remark
 *
 * A dump of the right size with the wrong rows gives itself away by it, as does one that lacks a table. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/file.h"
#include "core/base/text.h"
#include "core/drill/assert.h"
#include "core/drill/server.h"

#define FILE_BYTES_MAX (1u << 20)
#define TABLES_MAX 2000
#define QUESTION_SIZE 512

struct comparing {
    struct run *run;
    const struct drill_assertion *a;
    const char *format; /* of the question, behind the name of the table */
    unsigned count, bad;
    char first[160]; /* what is wrong first */
};

static char *read_figures(struct run *run, const char *written, struct finding *out)
{
    const char *path = written;
    char *text = NULL;
    size_t length = 0;
    if (written[0] != '/' && drill_is_remote(run->config)) {
        assert_say(out, false, "the backup is elsewhere: write the whole path of a file that is here");
        return NULL;
    }
    if (written[0] != '/')
        path = arena_print(&run->arena, "%s%s", run->source.path, written);
    int code = file_read(&run->arena, path, FILE_BYTES_MAX, &text, &length);
    if (code != 0)
        assert_say(out, false, "'%s' can't be read: %s", path, error_text(code));
    return code == 0 ? text : NULL;
}

/* shop.orders → `shop`.`orders` */
static bool quote_name(const struct server_type *server, const char *name, char *out, size_t size)
{
    size_t n = 0;
    out[n++] = server->quote;
    for (; *name && n + 5 < size; name++) {
        if (*name == server->quote || *name == '\\' || (unsigned char)*name < 0x20)
            return false;
        if (*name == '.') {
            out[n++] = server->quote;
            out[n++] = '.';
        }
        out[n++] = *name == '.' ? server->quote : *name;
    }
    out[n++] = server->quote;
    out[n] = '\0';
    return *name == '\0';
}

static bool is_near(const char *was, const char *is, int64_t percent)
{
    int64_t before, now;
    if (strcmp(was, is) == 0)
        return true;
    if (percent <= 0 || text_integer(was, &before) != 0 || text_integer(is, &now) != 0)
        return false;
    double off = now > before ? (double)now - (double)before : (double)before - (double)now;
    return off <= (double)before * (double)percent / 100;
}

static void note_bad(struct comparing *c, const char *format, ...) __attribute__((__format__(__printf__, 2, 3)));

static void note_bad(struct comparing *c, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (c->bad++ == 0)
        vsnprintf(c->first, sizeof c->first, format, args);
    va_end(args);
}

static void compare_table(struct comparing *c, const char *name, const char *was)
{
    char quoted[256], question[QUESTION_SIZE], answer[256];
    const char *hole = strstr(c->format, "%s");
    c->count++;
    if (!quote_name(c->run->server, name, quoted, sizeof quoted)) {
        note_bad(c, "'%.60s' is no name of a table", name);
        return;
    }
    snprintf(question, sizeof question, "%.*s%s%s", (int)(hole - c->format), c->format, quoted, hole + 2);
    if (server_ask(c->run, question, answer, sizeof answer) != 0) {
        note_bad(c, "%.150s", answer);
        return;
    }
    const char *tab = strrchr(answer, '\t'), *is = tab ? tab + 1 : answer;
    if (!is_near(was, is, c->a->tolerance))
        note_bad(c, "%.60s: %.40s; production had %.40s", name, is, was);
}

/* Line by line; false: a line is not understood. */
static bool compare_lines(struct comparing *c, char *text, struct finding *out)
{
    char *rest = text;
    unsigned number = 0;
    for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n")) {
        number++;
        line[strcspn(line, "#\r")] = '\0';
        char *name = line + strspn(line, " \t"), *was = name + strcspn(name, " \t");
        if (*name == '\0')
            continue;
        if (*was)
            *was++ = '\0';
        was += strspn(was, " \t");
        was[strcspn(was, " \t")] = '\0';
        if (*was == '\0' || c->count >= TABLES_MAX)
            return assert_say(out, false, "line %u of its file is not a table and a number (or there are over %d)",
                              number, TABLES_MAX);
        compare_table(c, name, was);
    }
    return true;
}

static bool compare(struct comparing *c, const char *file, const char *what, struct finding *out)
{
    char text[TEXT_COUNT_SIZE], *figures = read_figures(c->run, file, out);
    if (!figures || !compare_lines(c, figures, out))
        return false;
    if (c->count == 0)
        return assert_say(out, false, "its file names no table");
    text_count(text, c->count, "table");
    if (c->bad > 1)
        return assert_say(out, false, "%s (%u of %s differ)", c->first, c->bad, text);
    return c->bad ? assert_say(out, false, "%s", c->first)
                  : assert_say(out, true, "%s: %s as production had them", text, what);
}

static bool can_ask(struct run *run, struct finding *out)
{
    return (run->server && run->server->quote) ||
           assert_say(out, false, "there are no tables in a backup of this kind");
}

bool compare_counts(struct run *run, const struct drill_assertion *a, struct finding *out)
{
    struct comparing c = { .run = run, .a = a, .format = "SELECT COUNT(*) FROM %s" };
    return can_ask(run, out) && compare(&c, a->counts, "as many rows", out);
}

bool compare_checksums(struct run *run, const struct drill_assertion *a, struct finding *out)
{
    struct comparing c = { .run = run, .a = a };
    if (!can_ask(run, out))
        return false;
    c.format = run->server->checksum;
    if (!c.format)
        return assert_say(out, false, "%s has no checksum of a table: write counts = \".counts\";", run->server->name);
    return compare(&c, a->checksums, "the same checksums", out);
}
