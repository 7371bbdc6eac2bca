/* SPDX-License-Identifier: GPL-3.0-or-later */
/* runbook - the tables of its settings, and what they come to together. */
#include "core/model/runbook.h"

#include <string.h>

#define OF(member) offsetof(struct runbook, member)
#define IN(member) offsetof(struct runbook_step, member)
#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define YEAR (365 * DAY)

#define COMMAND_WITHIN HOUR
#define CHECK_WITHIN (10 * MINUTE)
#define OVERDUE (370 * DAY) /* without a calendar */

static const char *const starts[] = { "by hand", "by itself", NULL };

const struct drill_field runbook_fields[] = {
    { "title", DRILL_TEXT, OF(title), NULL, "What people call it", NULL, 0, 0 },
    { "tier", DRILL_TEXT, OF(tier), NULL, "Whose targets it has: 1, 2, 3, or one of your own", NULL, 0, 0 },
    { "rto", DRILL_DURATION, OF(rto_ms), NULL, "Recovery must not take longer; instead of the tier's", NULL, SECOND,
      YEAR },
    { "rpo", DRILL_DURATION, OF(rpo_ms), NULL, "The data must not be older; instead of the tier's", NULL, SECOND,
      10 * YEAR },
    { "on", DRILL_TEXT, OF(on), NULL,
      "When it is to be rehearsed: \"monthly\", \"quarterly\", \"yearly\", \"Sun 04:00\"", NULL, 0, 0 },
    { "start", DRILL_CHOICE, OF(start), "by hand", "Who starts a rehearsal that is due", starts, 0, 0 },
    { "remind", DRILL_DURATION, OF(remind_ms), "7d", "So long before it is due it is called to mind", NULL, MINUTE,
      YEAR },
    { "overdue", DRILL_DURATION, OF(overdue_ms), NULL, "CRITICAL when no rehearsal has passed for so long", NULL,
      MINUTE, 10 * YEAR },
    { 0 },
};

const struct drill_field runbook_step_fields[] = {
    { "name", DRILL_TEXT, IN(name), NULL, "What it is called", NULL, 0, 0 },
    { "do", DRILL_TEXT, IN(kinds[STEP_DO]), NULL, "What people are to do", NULL, 0, 0 },
    { "command", DRILL_TEXT, IN(kinds[STEP_COMMAND]), NULL, "A program, by its whole path, with arguments", NULL, 0,
      0 },
    { "drill", DRILL_TEXT, IN(kinds[STEP_DRILL]), NULL, "A restore drill that must pass", NULL, 0, 0 },
    { "check", DRILL_TEXT, IN(kinds[STEP_CHECK]), NULL, "A check that must turn OK", NULL, 0, 0 },
    { "within", DRILL_DURATION, IN(within_ms), NULL, "The longest that a command or check may take", NULL, SECOND,
      30 * DAY },
    { 0 },
};

const struct drill_field tier_fields[] = {
    { "rto", DRILL_DURATION, offsetof(struct tier, rto_ms), NULL, "Recovery must not take longer", NULL, SECOND, YEAR },
    { "rpo", DRILL_DURATION, offsetof(struct tier, rpo_ms), NULL, "The data must not be older", NULL, SECOND,
      10 * YEAR },
    { 0 },
};

const struct tier runbook_tiers[] = {
    { "1", 15 * MINUTE, 5 * MINUTE }, { "2", 2 * HOUR, 30 * MINUTE }, { "3", 24 * HOUR, 4 * HOUR }, { 0 }
};

/* ---- steps ------------------------------------------------------------------------------------------------------- */

static const char *const kind_names[] = {
    [STEP_DO] = "do", [STEP_COMMAND] = "command", [STEP_DRILL] = "drill", [STEP_CHECK] = "check"
};

const char *step_kind_name(enum step_kind kind)
{
    return (unsigned)kind < STEP_KIND_COUNT ? kind_names[kind] : "unknown";
}

enum step_kind step_kind_from_name(const char *name)
{
    unsigned kind = 0;
    while (kind < STEP_KIND_COUNT && !(name && strcmp(kind_names[kind], name) == 0))
        kind++;
    return (enum step_kind)kind;
}

enum step_kind runbook_step_kind(const struct runbook_step *step)
{
    unsigned kind = 0;
    while (kind < STEP_KIND_COUNT && !step->kinds[kind])
        kind++;
    return (enum step_kind)kind;
}

int runbook_step_complete(struct runbook_step *step, struct arena *arena, struct why *why)
{
    const char *command = step->kinds[STEP_COMMAND], *long_one = NULL;
    unsigned count = 0;
    for (unsigned kind = 0; kind < STEP_KIND_COUNT; kind++)
        count += step->kinds[kind] != NULL;
    for (unsigned kind = 0; kind < STEP_KIND_COUNT; kind++)
        long_one = step->kinds[kind] && strlen(step->kinds[kind]) > RUNBOOK_TEXT_MAX ? kind_names[kind] : long_one;
    if (long_one)
        return why_say(why, ERROR_LIMIT, "'%s' is longer than %d bytes: write more into a document, and name that",
                       long_one, RUNBOOK_TEXT_MAX);
    if (step->name && strlen(step->name) > RUNBOOK_NAME_MAX)
        return why_say(why, ERROR_LIMIT, "'name' is longer than %d bytes", RUNBOOK_NAME_MAX);
    if (count != 1)
        return why_say(why, ERROR_SYNTAX, "a step is one thing: write one of do, command, drill and check");
    if (command && command[0] != '/')
        return why_say(why, ERROR_SYNTAX, "'command' is '%s': write the program's whole path", command);
    if (command && !runbook_words(arena, command, why))
        return ERROR_SYNTAX;
    if (step->within_ms && !command && !step->kinds[STEP_CHECK])
        return why_say(why, ERROR_SYNTAX, "'within' belongs to a command or a check");
    if (!step->within_ms)
        step->within_ms = command ? COMMAND_WITHIN : step->kinds[STEP_CHECK] ? CHECK_WITHIN : 0;
    if (!step->name)
        step->name = arena_print(arena, "%.60s", step->kinds[runbook_step_kind(step)]);
    return 0;
}

/* ---- the whole --------------------------------------------------------------------------------------------------- */

bool runbook_starts_itself(const struct runbook *runbook)
{
    return strcmp(runbook->start, "by itself") == 0;
}

static int check_start(const struct runbook *runbook, struct why *why)
{
    if (!runbook_starts_itself(runbook))
        return 0;
    if (!runbook->on)
        return why_say(why, ERROR_SYNTAX, "runbook '%s' can't start by itself without a calendar: write on = \"...\";",
                       runbook->name);
    for (uint32_t i = 0; i < runbook->step_count; i++)
        if (runbook_step_kind(&runbook->steps[i]) == STEP_DO)
            return why_say(why, ERROR_SYNTAX,
                           "runbook '%s' can't start by itself: its step '%s' is done by people; leave start out",
                           runbook->name, runbook->steps[i].name);
    return 0;
}

int runbook_complete(struct runbook *runbook, const struct tier *tier, struct why *why)
{
    int64_t period_ms = drill_on_period_ms(runbook->on);
    int code = runbook->on ? drill_on_check(runbook->on, why) : 0;
    if (code != 0)
        return code;
    if (!tier && !runbook->rto_ms)
        return why_say(why, ERROR_SYNTAX, "runbook '%s' has no target: write tier = \"2\"; or rto = \"4h\";",
                       runbook->name);
    if (runbook->step_count == 0)
        return why_say(why, ERROR_SYNTAX, "runbook '%s' has no steps: write steps = ( { do = \"...\"; } );",
                       runbook->name);
    if (!runbook->rto_ms)
        runbook->rto_ms = tier->rto_ms;
    if (!runbook->rpo_ms)
        runbook->rpo_ms = tier ? tier->rpo_ms : 0;
    if (!runbook->overdue_ms) /* one that is late by an eighth */
        runbook->overdue_ms = period_ms ? period_ms + period_ms / 8 : OVERDUE;
    return check_start(runbook, why);
}

/* ---- a command's words ------------------------------------------------------------------------------------------- */

/* One word from *at on, without its quotes; NULL when a quote is not closed. */
static const char *take_word(struct arena *arena, const char **at)
{
    const char *from = *at;
    char *word = arena_text(arena, from), *to = word, quote = '\0';
    for (; *from && (quote || (*from != ' ' && *from != '\t')); from++) {
        if (quote ? *from == quote : *from == '"' || *from == '\'')
            quote = quote ? '\0' : *from;
        else
            *to++ = *from;
    }
    *to = '\0';
    *at = from;
    return quote ? NULL : word;
}

const char *const *runbook_words(struct arena *arena, const char *line, struct why *why)
{
    const char **words = arena_array(arena, RUNBOOK_WORDS_MAX + 1, sizeof *words);
    size_t count = 0;
    for (line += strspn(line, " \t"); *line; line += strspn(line, " \t")) {
        if (count == RUNBOOK_WORDS_MAX) {
            why_say(why, ERROR_LIMIT, "'command' has more than %d words: put them into a script", RUNBOOK_WORDS_MAX);
            return NULL;
        }
        words[count] = take_word(arena, &line);
        if (!words[count++]) {
            why_say(why, ERROR_SYNTAX, "'command' has a quote that is not closed");
            return NULL;
        }
    }
    words[count] = NULL;
    return words;
}
