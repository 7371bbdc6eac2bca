/* SPDX-License-Identifier: GPL-3.0-or-later */
/* condition - one check's condition in words. */
#include <string.h>

#include "core/base/text.h"
#include "core/cli/board.h"
#include "core/cli/control.h"
#include "core/model/state.h"

/* A result older than this many intervals (and a little) is stale, as the recorder's heartbeat has it. */
#define STALE_INTERVALS 2.5
#define STALE_SLACK_MS 15000

const char *condition_age(struct cli *cli, int64_t at_ms, int64_t now_ms)
{
    if (at_ms <= 0)
        return "";
    return text_format_age(arena_alloc(&cli->arena, TEXT_DURATION_SIZE), at_ms < now_ms ? now_ms - at_ms : 0);
}

const char *condition_until(struct cli *cli, int64_t at_ms, int64_t now_ms)
{
    char age[TEXT_DURATION_SIZE];
    if (at_ms <= now_ms)
        return "now";
    return arena_print(&cli->arena, "in %s", text_format_age(age, at_ms - now_ms));
}

const char *condition_name(struct cli *cli, const json_t *check)
{
    const char *id = control_text(cli, check, "id");
    const char *slash = strchr(id, '/');
    return slash ? slash + 1 : id;
}

const char *condition_symbol(const struct term *term, enum belfry_state state)
{
    static const char *const symbols[2][4] = {
        { [BELFRY_OK] = "+", [BELFRY_WARNING] = "!", [BELFRY_CRITICAL] = "X", [BELFRY_UNKNOWN] = "?" },
        { [BELFRY_OK] = "✓", [BELFRY_WARNING] = "▲", [BELFRY_CRITICAL] = "✗", [BELFRY_UNKNOWN] = "?" },
    };
    return symbols[term->utf8][state];
}

const char *condition_state(struct cli *cli, const json_t *check)
{
    if (!control_flag(check, "known"))
        return "waiting";
    enum belfry_state state = control_state(check, "state");
    if (state == BELFRY_OK || control_flag(check, "hard"))
        return state_name(state);
    return arena_print(&cli->arena, "%s soft %lld/%lld", state_name(state),
                       (long long)control_integer(check, "attempt"), (long long)control_integer(check, "attempts"));
}

static void add(struct notes *notes, const char *note)
{
    if (note && notes->count < NOTES_MAX)
        notes->items[notes->count++] = note;
}

static const char *note_breaker(struct cli *cli, const json_t *check, int64_t now_ms)
{
    const json_t *breaker = json_object_get(check, "breaker");
    const char *state = control_text(cli, breaker, "state"), *hold = control_text(cli, breaker, "hold");
    const char *name = control_text(cli, breaker, "name");
    bool shared = strcmp(name, control_text(cli, check, "id")) != 0;
    const char *of = shared ? arena_print(&cli->arena, " '%s'", name) : "";
    if (strcmp(hold, "open") == 0)
        return arena_print(&cli->arena, "circuit%s held open by hand: nothing is tried", of);
    if (strcmp(hold, "closed") == 0)
        return arena_print(&cli->arena, "circuit%s held closed by hand", of);
    if (strcmp(state, "open") == 0)
        return arena_print(&cli->arena, "circuit%s open, next try %s", of,
                           condition_until(cli, control_integer(breaker, "until"), now_ms));
    if (strcmp(state, "half-open") == 0)
        return arena_print(&cli->arena, "circuit%s half-open, trying", of);
    return NULL;
}

static const char *note_flapping(struct cli *cli, const json_t *check)
{
    if (!control_flag(check, "flapping"))
        return NULL;
    return arena_print(&cli->arena, "flapping, %.0f %% of its results changed state",
                       json_number_value(json_object_get(check, "flapping_percent")));
}

static bool breaker_stops(struct cli *cli, const json_t *check)
{
    const json_t *breaker = json_object_get(check, "breaker");
    return strcmp(control_text(cli, breaker, "state"), "open") == 0 ||
           strcmp(control_text(cli, breaker, "hold"), "open") == 0;
}

static const char *note_stale(struct cli *cli, const json_t *check, int64_t now_ms)
{
    char age[TEXT_DURATION_SIZE], every[TEXT_DURATION_SIZE];
    int64_t last_run = control_integer(check, "last_run"), every_ms = control_integer(check, "every_ms");
    double late_ms = (double)(now_ms - last_run) - STALE_INTERVALS * (double)every_ms - STALE_SLACK_MS;
    if (last_run == 0 || every_ms == 0 || late_ms <= 0 || breaker_stops(cli, check))
        return NULL;
    return arena_print(&cli->arena, "stale, the last result is %s old (due every %s)",
                       text_format_age(age, now_ms - last_run), text_format_age(every, every_ms));
}

bool condition_disabled(const json_t *check)
{
    return json_is_false(json_object_get(check, "enabled"));
}

void condition_notes(struct cli *cli, const json_t *check, int64_t now_ms, struct notes *out)
{
    out->count = 0;
    add(out, note_breaker(cli, check, now_ms));
    add(out, note_flapping(cli, check));
    add(out,
        condition_disabled(check) ? "disabled in the configuration: it does not run" : note_stale(cli, check, now_ms));
}
