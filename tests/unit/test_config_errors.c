/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_config_errors - every mistake gets its message. The cases are in tests/config/errors.txt:
 *
 *     === what the case is about
 *     --- belfry.conf [MODE]        a file (several in one case)
 *     ...
 *     --- errors                    what must be said; nothing: the files are good
 *     belfry.conf:3: ...
 *
 * `test_config_errors FILE` also writes the cases with what is said now to FILE, for review after messages were
 * changed. "\x.." in the text of a file stands for that byte when it is written as <XX>. */
#include "config_fixture.h"

struct case_text {
    char *title, *body;
};

/* <XX> with upper-case hex digits is one byte. */
static size_t unescape(char *text)
{
    char *out = text;
    for (const char *at = text; *at;) {
        unsigned byte;
        if (at[0] == '<' && at[3] == '>' && sscanf(at + 1, "%2X", &byte) == 1 &&
            strspn(at + 1, "0123456789ABCDEF") == 2) {
            *out++ = (char)byte;
            at += 4;
        } else {
            *out++ = *at++;
        }
    }
    *out = '\0';
    return (size_t)(out - text);
}

/* The next section "--- name [mode]\n..." of a case; false when there is none. */
static bool next_section(char **at, char *name, unsigned *mode, char **text)
{
    char *line = *at;
    if (strncmp(line, "--- ", 4) != 0)
        return false;
    *mode = 0644;
    sscanf(line, "--- %63s %o", name, mode);
    char *begin = strchr(line, '\n') + 1;
    char *end = strncmp(begin, "--- ", 4) == 0 ? begin - 1 : strstr(begin, "\n--- ");
    *text = end ? (end < begin ? heap_text("") : strndup(begin, (size_t)(end + 1 - begin))) : strdup(begin);
    *at = end ? end + 1 : begin + strlen(begin);
    return true;
}

static void run_case(const struct catalog *catalog, const char *title, const char *body, FILE *review)
{
    struct fixture fixture;
    struct buf got = { 0 };
    char *copy = heap_text(body), *at = copy, *text, *want = heap_text(""), name[64];
    unsigned mode;
    fixture_open(&fixture);
    while (next_section(&at, name, &mode, &text)) {
        if (strcmp(name, "errors") == 0) {
            free(want);
            want = text;
            continue;
        }
        size_t n = unescape(text);
        fixture_write_bytes(&fixture, name, text, n, mode);
        free(text);
    }
    struct config *config = fixture_load(&fixture, catalog, &got);
    buf_text(&got, "");
    tap_is_text(got.data, want, title);
    tap_ok((config != NULL) == (got.length == 0), "%s: a model only without errors", title);
    if (review)
        fprintf(review, "=== %s\n%.*s--- errors\n%s", title, (int)(strstr(body, "--- errors\n") - body), body,
                got.data);
    config_close(&config);
    fixture_close(&fixture);
    buf_close(&got);
    free(want);
    free(copy);
}

int main(int argc, char **argv)
{
    struct arena arena = { 0 };
    const char *top = getenv("top_srcdir");
    char *text;
    size_t length;
    struct catalog *catalog = fixture_catalog();
    FILE *review = argc > 1 ? fopen(argv[1], "w") : NULL;
    int code =
        file_read(&arena, file_join(&arena, top ? top : ".", "tests/config/errors.txt"), 1 << 20, &text, &length);
    tap_is_int(code, 0, "the cases are there");
    unsigned cases = 0;
    char *at = code == 0 ? strstr(text, "=== ") : NULL;
    if (review && at)
        fprintf(review, "%.*s", (int)(at - text), text);
    while (at) {
        char *next = strstr(at, "\n=== ");
        char *title = at + 4, *end = strchr(title, '\n');
        if (next)
            next[1] = '\0';
        *end = '\0';
        run_case(catalog, title, end + 1, review);
        cases++;
        at = next ? next + 1 : NULL;
        if (at)
            *at = '=';
    }
    tap_ok(cases >= 80, "%u cases", cases);
    if (review)
        fclose(review);
    catalog_close(&catalog);
    arena_close(&arena);
    return tap_done();
}
