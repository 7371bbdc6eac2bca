/* SPDX-License-Identifier: GPL-3.0-or-later */
/* exec - runs any Nagios plugin: an argument list without a shell, its exit code is the verdict, its output the text,
 * its performance data the metrics.
 *
 * The exit code decides and never the text or the numbers: ranges in the performance data are only shown, because many
 * plugins print ranges that they don't judge by; `judge = true` makes them Belfry's thresholds.
 *
 * Diagnostics: an exit code other than 0 to 3, the death by a signal, too much output and a program that can't be
 * started are UNKNOWN; no end within the time is CRITICAL and not reached. The program gets no standard input, a clean
 * environment, and a process group of its own, of which nothing outlives the run (what must stay uses setsid).
 */
#include "plugins/exec/exec.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "plugins/common/now.h"
#include "plugins/common/say.h"

static const struct belfry_option options[] = {
    { "command", BELFRY_TEXT, "Program and its arguments; a name without '/' is looked for in path", .required = true,
      .list = true, .example = "/usr/lib/nagios/plugins/check_load" },
    { "args", BELFRY_TEXT, "Arguments, when they are not in command", .list = true, .example = "-w 5" },
    { "env", BELFRY_TEXT, "Environment variables by name; nothing else is inherited", .map = true,
      .example = "C.UTF-8" },
    { "path", BELFRY_TEXT, "PATH of the program, and where it is looked for",
      .fallback = "/usr/lib/nagios/plugins:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
      .example = "/usr/bin:/bin" },
    { "judge", BELFRY_FLAG,
      "Whether ranges in the performance data are thresholds here too; otherwise they are only shown",
      .fallback = "false", .example = "true" },
    BELFRY_END,
};

static const struct belfry_metric metrics[] = {
    { "time", "s", "How long the program ran", .min = "0" },
    BELFRY_END,
};

/* What a program prints is known when it is drawn: one picture for each unit. */
static const struct belfry_view views[] = {
    { "values", "What the program measured, and how long it ran", "*", .style = BELFRY_LINES },
    BELFRY_END,
};

/* ---- what is run --------------------------------------------------------------------------------------------- */

/* The file of a name without '/', by the path option; the name itself when there is none. */
static const char *find_program(struct belfry_probe *p, const char *name)
{
    if (strchr(name, '/'))
        return name;
    const char *folder = belfry_text(p, "path");
    while (*folder) {
        int length = (int)strcspn(folder, ":");
        const char *file = belfry_print(p, "%.*s/%s", length, folder, name);
        if (length > 0 && access(file, X_OK) == 0)
            return file;
        folder += length + (folder[length] == ':');
    }
    return name;
}

/* argv may be changed by nobody, but execve() wants it without const. */
static char *own(struct belfry_probe *p, const char *text)
{
    return say_copy(p, text, strlen(text));
}

static char **make_argv(struct belfry_probe *p)
{
    size_t words = belfry_count(p, "command"), more = belfry_count(p, "args"), n = 0;
    char **argv = belfry_alloc(p, (words + more + 1) * sizeof *argv);
    argv[n++] = own(p, find_program(p, belfry_item(p, "command", 0)));
    for (size_t i = 1; i < words; i++)
        argv[n++] = own(p, belfry_item(p, "command", i));
    for (size_t i = 0; i < more; i++)
        argv[n++] = own(p, belfry_item(p, "args", i));
    return argv;
}

static char **make_env(struct belfry_probe *p)
{
    size_t count = belfry_count(p, "env"), n = 0;
    char **env = belfry_alloc(p, (count + 2) * sizeof *env);
    bool path = false;
    for (size_t i = 0; i < count; i++) {
        path |= strcmp(belfry_key(p, "env", i), "PATH") == 0;
        env[n++] = own(p, belfry_print(p, "%s=%s", belfry_key(p, "env", i), belfry_item(p, "env", i)));
    }
    if (!path)
        env[n] = own(p, belfry_print(p, "PATH=%s", belfry_text(p, "path")));
    return env;
}

/* ---- how it ended -------------------------------------------------------------------------------------------- */

static void say_not_started(struct belfry_probe *p, const char *program, int error)
{
    static const struct {
        int error;
        const char *hint;
    } hints[] = {
        { -ENOENT, "; is the path right, and is the interpreter of its first line there?" },
        { -EACCES, "; it must be executable for the user that runs belfry" },
        { -ENOEXEC, "; a script needs a first line like #!/bin/sh" },
    };
    const char *hint = "";
    for (size_t i = 0; i < sizeof hints / sizeof hints[0]; i++)
        hint = hints[i].error == error ? hints[i].hint : hint;
    if (error == -ENOENT && strchr(program, ' '))
        hint = "; write program and arguments as a list: [ \"program\", \"argument\" ]";
    belfry_unknown(p, "cannot run '%s': %s%s", program, say_error(p, error), hint);
}

static const char *signal_name(struct belfry_probe *p, int signal)
{
    const char *name = sigabbrev_np(signal);
    return name ? belfry_print(p, "SIG%s", name) : belfry_print(p, "signal %d", signal);
}

/* Exit codes by Nagios' rules, with a word about the shell's 126 and 127. */
static void say_exit(struct belfry_probe *p, int code, const char *text)
{
    switch (code) {
    case BELFRY_OK:
        belfry_ok(p, "%s", text);
        return;
    case BELFRY_WARNING:
        belfry_warning(p, "%s", text);
        return;
    case BELFRY_CRITICAL:
        belfry_critical(p, "%s", text);
        return;
    case BELFRY_UNKNOWN:
        belfry_unknown(p, "%s", text);
        return;
    case 126:
        belfry_unknown(p, "exit code 126: a command it runs is not executable: %s", text);
        return;
    case 127:
        belfry_unknown(p, "exit code 127: a command it runs was not found: %s", text);
        return;
    default:
        belfry_unknown(p, "exit code %d is out of bounds, must be 0 to 3: %s", code, text);
    }
}

static void say_end(const struct exec_child *child, const char *text, double spent_s)
{
    struct belfry_probe *p = child->p;
    const char *said = strcmp(text, "(no output)") != 0 ? belfry_print(p, ": %s", text) : "";
    if (child->timed_out)
        belfry_unreachable(p, "'%s' did not end in time and was killed after %s%s%s", child->argv[0],
                           say_seconds(p, spent_s), child->lost ? ", but does not die" : "", said);
    else if (child->flooded)
        belfry_unknown(p, "'%s' was killed: it printed more than 16 MiB%s", child->argv[0], said);
    else if (child->code != CLD_EXITED)
        belfry_unknown(p, "'%s' was killed by %s%s", child->argv[0], signal_name(p, child->status), said);
    else
        say_exit(p, child->status, text);
}

/* The line that is the text: the first of stdout, else the first of stderr. */
static const char *choose_text(const struct exec_child *child, const struct exec_text *out)
{
    if (out->first && out->first[0])
        return out->first;
    const char *errors = child->err.bytes + strspn(child->err.bytes, " \t\r\n");
    if (*errors)
        return belfry_print(child->p, "(stderr) %.*s", (int)strcspn(errors, "\r\n"), errors);
    return "(no output)";
}

static void say_details(struct belfry_probe *p, const struct exec_child *child, const struct exec_text *out)
{
    if (out->rest)
        belfry_detail(p, "%s", out->rest);
    if (child->out.total > child->out.kept)
        belfry_detail(p, "(output cut: %zu bytes of %zu)", child->out.kept, child->out.total);
}

static void run(struct belfry_probe *p)
{
    struct exec_child *child = belfry_alloc(p, sizeof *child);
    *child = (struct exec_child){ .p = p, .argv = make_argv(p), .envp = make_env(p) };
    double begin = now_s();
    int error = exec_run(child);
    if (error < 0) {
        say_not_started(p, child->argv[0], error);
        return;
    }
    double spent = now_s() - begin;
    for (size_t i = 0; i < child->out.kept; i++)
        if (child->out.bytes[i] == '\0')
            child->out.bytes[i] = '?';
    struct exec_text text;
    exec_split(p, child->out.bytes, &text);
    exec_measure(p, text.metrics, belfry_flag(p, "judge"));
    belfry_measure(p, "time", spent);
    say_details(p, child, &text);
    say_end(child, choose_text(child, &text), spent);
}

BELFRY_PLUGIN("exec", "1.0", "Any Nagios plugin: exit code, text, performance data", options, metrics, run,
              .views = views, .needs = BELFRY_NEEDS_PROCESSES)
