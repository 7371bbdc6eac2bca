/* SPDX-License-Identifier: GPL-3.0-or-later */
/* story - a journal record as one line for people.
 *
 * Each type has one row: the member that is the subject (or =word), and a sentence. In the sentence {name} stands for a
 * member of the record ("" when missing), {name:A:B} for A when the member is true and else for B, {ms} is told as a
 * duration, {change} is "OK -> CRITICAL soft 1/2", and {tries} " after 5 failures, next try in 30 s" unless the
 * breaker was opened by hand. */
#include "core/cli/story.h"

#include <jansson.h>
#include <string.h>

#include "core/base/text.h"
#include "core/cli/control.h"
#include "core/cli/drill.h"
#include "core/model/state.h"

#define SUBJECT_COLUMNS 20
#define AGE_COLUMNS 11

static const struct sentence {
    const char *type, *subject, *sentence;
} sentences[] = {
    { "check.state", "check", "{change}  {text}" },
    { "check.flapping", "check", "{on:started flapping:stopped flapping} ({percent} % changed state)" },
    { "check.event", "check", "{name}  {part}  {text}" },
    { "check.added", "check", "added" },
    { "check.removed", "check", "removed" },
    { "part.state", "check", "{part}  {change}  {text}" },
    { "part.gone", "check", "{part} is gone" },
    { "breaker.open", "breaker", "circuit open{tries}  {text}" },
    { "breaker.half_open", "breaker", "circuit half-open, trying" },
    { "breaker.closed", "breaker", "circuit closed  {text}" },
    { "breaker.held", "breaker", "circuit set to {name} by {by}" },
    { "service.state", "service", "service {change}" },
    { "plugin.loaded", "plugin", "plugin loaded, version {version}  {path}" },
    { "plugin.removed", "plugin", "plugin removed  {path}" },
    { "plugin.rejected", "=plugin", "refused {path}  {text}" },
    { "plugin.crashed", "plugin", "plugin crashed in {check}  {text}" },
    { "config.loaded", "=configuration", "loaded  {text}" },
    { "config.rejected", "=configuration", "refused  {text}" },
    { "daemon.started", "=belfryd", "started, version {version}  {text}" },
    { "daemon.stopped", "=belfryd", "stopped  {text}" },
    { "clock.stepped", "=clock", "stepped by {ms}" },
    { "monitor.blind", "=belfryd", "was blind for {ms}  {text}" },
    { "command.done", "=command", "{name} by {by}  {text}" },
    { "series.set_aside", "=recorder", "{path}: {text}" },
    { "journal.segment", "=journal", "begins a new file" },
    { "plugin.throttled", "plugin", "circuit open, next try in {ms}  {text}" },
    { "plugin.resumed", "plugin", "circuit closed" },
    { "child.died", "name", "{text}" },
    { "daemon.panicked", "=belfryd", "crashed  {text}" },
    { "drill.started", "drill", "drill began, by {by}" },
    { "drill.progress", "drill", "drill runs: {progress}" },
    { "drill.passed", "drill", "drill passed in {ms}" },
    { "drill.failed", "drill", "drill failed in phase {phase} after {ms}  {text}" },
    { "drill.cancelled", "drill", "drill cancelled after {ms} by {by}" },
    { "drill.abandoned", "drill", "drill abandoned  {text}" },
    { "drill.standing", "drill", "drill, as it stood" },
    { "recovery.known", "runbook", "runbook known from now on" },
    { "recovery.reminded", "runbook", "{text}" },
    { "recovery.due", "runbook", "{text}" },
    { "recovery.started", "runbook", "runbook followed, by {by}" },
    { "recovery.step", "runbook", "{phase}: {text}  {by}" },
    { "recovery.passed", "runbook", "recovery passed in {ms}" },
    { "recovery.failed", "runbook", "recovery failed after {ms}  {phase}: {text}" },
    { "recovery.cancelled", "runbook", "recovery cancelled after {ms} by {by}" },
    { "recovery.standing", "runbook", "runbook, as it stood" },
    { "journal.recovered", "=journal", "repaired  {text}  {path}" },
    { "journal.damaged", "=journal", "damaged  {path} line {line}  {name}: {text}" },
    { "journal.acknowledged", "=journal", "damage seen by {by}  {text}" },
    { "journal.space", "=journal", "{name}  {text}" },
    { "journal.sealed", "=journal", "sealed epoch {epoch} ({why})" },
    { "journal.suspect", "=journal", "not as it was left  {text}" },
    { "journal.checkpoint", "=journal", "the state written down, part {part} of {parts}" },
    { "journal.dropped", "=journal", "{segment} dropped, which ended with record {last}" },
    { "journal.anchored", "=journal", "head noted down by {name}" },
    { "journal.anchor_failed", "=journal", "head could not be noted down  {text}" },
};

static const struct sentence *find(const char *type)
{
    for (size_t i = 0; i < sizeof sentences / sizeof *sentences; i++)
        if (strcmp(sentences[i].type, type) == 0)
            return &sentences[i];
    return NULL;
}

bool story_knows(const char *type)
{
    return find(type) != NULL;
}

static void add_duration(struct buf *out, int64_t ms)
{
    char age[TEXT_DURATION_SIZE];
    buf_print(out, "%s%s", ms < 0 ? "-" : "", text_format_age(age, ms < 0 ? -ms : ms));
}

static void add_change(struct cli *cli, struct buf *out, const json_t *record)
{
    buf_print(out, "%s -> %s", control_text(cli, record, "from"), control_text(cli, record, "to"));
    const char *kind = control_text(cli, record, "kind");
    bool soft = strcmp(kind, "soft") == 0,
         same = strcmp(control_text(cli, record, "from"), control_text(cli, record, "to")) == 0;
    if (soft || same) /* without a word for it the step from soft to hard would tell nothing */
        buf_print(out, " %s %lld/%lld", kind, (long long)control_integer(record, "attempt"),
                  (long long)control_integer(record, "attempts"));
}

static void add_tries(struct buf *out, const json_t *record)
{
    int64_t failures = control_integer(record, "failures"), ms = control_integer(record, "ms");
    if (ms == 0)
        return;
    buf_print(out, " after %lld failure%s, next try in ", (long long)failures, failures == 1 ? "" : "s");
    add_duration(out, ms);
}

static void add_member(struct cli *cli, struct buf *out, const json_t *record, const char *name)
{
    const json_t *value = json_object_get(record, name);
    char number[TEXT_NUMBER_SIZE];
    if (strcmp(name, "change") == 0)
        add_change(cli, out, record);
    else if (strcmp(name, "tries") == 0)
        add_tries(out, record);
    else if (strcmp(name, "progress") == 0)
        buf_text(out, drill_progress(cli, control_text(cli, record, "phase"), control_integer(record, "ms"),
                                     json_object_get(record, "figures")));
    else if (json_is_string(value))
        buf_text(out, cli_visible(cli, json_string_value(value)));
    else if (json_is_integer(value) && strcmp(name, "ms") == 0)
        add_duration(out, json_integer_value(value));
    else if (json_is_number(value))
        buf_text(out, text_format_number(number, json_number_value(value)));
    else if (json_is_boolean(value))
        buf_text(out, json_is_true(value) ? "true" : "false");
}

/* One {...}: `text` stands behind the brace; returns what follows it. */
static const char *add_field(struct cli *cli, struct buf *out, const json_t *record, const char *text)
{
    size_t length = strcspn(text, ":}");
    const char *name = arena_text_n(&cli->arena, text, length);
    if (text[length] == '}') {
        add_member(cli, out, record, name);
        return text + length + 1;
    }
    const char *yes = text + length + 1, *no = strchr(yes, ':') + 1, *end = strchr(no, '}');
    if (json_is_true(json_object_get(record, name)))
        buf_add(out, yes, (size_t)(no - 1 - yes));
    else
        buf_add(out, no, (size_t)(end - no));
    return end + 1;
}

static void add_sentence(struct cli *cli, struct buf *out, const json_t *record, const char *sentence)
{
    while (*sentence) {
        size_t plain = strcspn(sentence, "{");
        buf_add(out, sentence, plain);
        sentence += plain;
        if (*sentence == '{')
            sentence = add_field(cli, out, record, sentence + 1);
    }
}

/* Members as they are, without those that every record has. */
static void add_members(struct cli *cli, struct buf *out, json_t *record)
{
    static const char *const of_all[] = { "seq", "at", "type", "who", "prev", "hash" };
    const char *key;
    json_t *value;
    json_object_foreach(record, key, value)
    {
        bool common = false;
        for (size_t i = 0; i < sizeof of_all / sizeof *of_all; i++)
            common |= strcmp(key, of_all[i]) == 0;
        if (common)
            continue;
        buf_print(out, " %s=", cli_visible(cli, key));
        add_member(cli, out, record, key);
    }
}

static enum style find_style(const json_t *record)
{
    return json_object_get(record, "to") ? term_state_style(control_state(record, "to")) : STYLE_PLAIN;
}

static void print_head(struct cli *cli, int64_t wall_ms, int64_t now_ms)
{
    char local[TEXT_TIME_SIZE], age[TEXT_DURATION_SIZE];
    text_format_age(age, wall_ms < now_ms ? now_ms - wall_ms : 0);
    buf_print(&cli->out, "%s  ", text_format_local(local, wall_ms));
    term_left(&cli->term, &cli->out, STYLE_FAINT, age, AGE_COLUMNS);
    buf_char(&cli->out, ' ');
}

void story_tell(struct cli *cli, json_t *record, const char **subject, const char **what)
{
    const char *type = control_text(cli, record, "type");
    const struct sentence *known = find(type);
    struct buf text = { 0 };
    *subject = known == NULL              ? type
               : known->subject[0] == '=' ? known->subject + 1
                                          : control_text(cli, record, known->subject);
    if (known)
        add_sentence(cli, &text, record, known->sentence);
    else
        add_members(cli, &text, record);
    while (text.length && text.data[text.length - 1] == ' ')
        text.data[--text.length] = '\0';
    *what = arena_text_n(&cli->arena, text.data ? text.data : "", text.length);
    buf_close(&text);
}

void story_print(struct cli *cli, const char *line, size_t length, int64_t wall_ms, int64_t now_ms)
{
    json_t *record = json_loadb(line, length, 0, NULL);
    const char *subject, *what;
    story_tell(cli, record, &subject, &what);
    print_head(cli, wall_ms, now_ms);
    term_left(&cli->term, &cli->out, STYLE_STRONG, subject, SUBJECT_COLUMNS);
    buf_text(&cli->out, "  ");
    term_text(&cli->term, &cli->out, find_style(record), what);
    buf_char(&cli->out, '\n');
    json_decref(record);
}
