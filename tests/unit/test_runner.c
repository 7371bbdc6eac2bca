/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_runner - parts of a drill's runner that can be tried alone: what it keeps of all that a
 * tool says. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/drill/tool.h"
#include "tests/tap.h"

/* As if a tool had said these bytes, in so many pieces. */
static void say(struct tool *tool, const char *text, unsigned times)
{
    int fds[2];
    for (unsigned i = 0; i < times; i++) {
        if (pipe(fds) != 0 || write(fds[1], text, strlen(text)) < 0)
            perror("pipe");
        close(fds[1]);
        tool->said_fd = fds[0];
        tool_hear(tool);
        close(fds[0]);
    }
    tool->said_fd = 0;
}

static void test_errors(void)
{
    static const struct {
        const char *first, *then, *last, *want;
    } table[] = {
        { "", "WARNING: much\n", "", NULL },
        { "1: ERROR:  wrong row\n", "", "", "ERROR:  wrong row" },
        { "1: ERROR:  wrong row\n", "WARNING: much\n", "", "ERROR:  wrong row" },
        { "1: ERROR:  wrong row\n", "ERROR:  another\n", "", "ERROR:  wrong row" },
        { "1: ERROR:  it is there\n", "WARNING: much\n", "2: ERROR:  wrong row", "ERROR:  wrong row" },
        { "1: ERROR:  it is there\n", "WARNING: much\n", "2: ERROR:  it is there", NULL },
        { "1: ERROR:  a long one: ", "much of the same kind ", "", "ERROR:  a long one: much of the same kind " },
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct tool tool = { .error = "ERROR:", .excuse = "it is there" };
        say(&tool, table[i].first, 1);
        say(&tool, table[i].then, 500);
        say(&tool, table[i].last, 1);
        const char *error = tool_error(&tool), *want = table[i].want;
        tap_ok(want ? error && strncmp(error, want, strlen(want)) == 0 : !error, "row %zu: %s", i,
               want ? want : "none");
    }
}

static void test_last_words(void)
{
    struct run run = { .id = "" };
    struct tool tool = { .argv = { "tar" } };
    say(&tool, "tar: a member is extracted\n", 500);
    say(&tool, "tar: the last line tells\n", 1);
    tap_is_text(tool_complaint(&run, &tool), "tar: the last line tells", "however much it says, the last line is kept");
    arena_close(&run.arena);
}

int main(void)
{
    test_errors();
    test_last_words();
    return tap_done();
}
