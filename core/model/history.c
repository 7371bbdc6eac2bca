/* SPDX-License-Identifier: GPL-3.0-or-later */
/* history - a fold over journal records, and its text.
 *
 * What each record means is two tables: `marks` are lines in a graph (a new kind of event is one row), `steps` change
 * the state or say that nobody looks. */
#include "core/model/history.h"

#include <jansson.h>
#include <string.h>

#include "core/base/text.h"

#define TEXT_MAX 256            /* bytes of a text; the rest is cut */
#define SAME_START_S 10         /* a configuration loaded so soon after the start is that of the start */
#define TIME_MAX_S 253402300799 /* the end of the year 9999 */

static const char *const kinds[] = { [HISTORY_NOTE] = "note", [HISTORY_GOOD] = "good", [HISTORY_BAD] = "bad" };

/* ---- lists ------------------------------------------------------------------------------------------------------ */

/* The items, with room for one more. */
static void *grow(struct arena *arena, void *items, uint32_t count, uint32_t *size, size_t item_bytes)
{
    if (count < *size)
        return items;
    *size = 2 * count + 16;
    void *larger = arena_array(arena, *size, item_bytes);
    if (count)
        memcpy(larger, items, count * item_bytes);
    return larger;
}

static void add_state(struct history_fold *fold, const struct history_state *state)
{
    struct history *out = fold->out;
    if (out->state_count == HISTORY_ITEMS_MAX) {
        out->states[HISTORY_ITEMS_MAX - 1].none = true; /* rather than one that lasts */
        return;
    }
    out->states = grow(fold->arena, out->states, out->state_count, &fold->state_size, sizeof(*state));
    out->states[out->state_count++] = *state;
}

static void add_blind(struct history_fold *fold, const struct history_blind *blind)
{
    struct history *out = fold->out;
    if (out->blind_count == HISTORY_ITEMS_MAX || blind->until_s <= blind->from_s)
        return;
    out->blind = grow(fold->arena, out->blind, out->blind_count, &fold->blind_size, sizeof(*blind));
    out->blind[out->blind_count++] = *blind;
}

void history_mark(struct history_fold *fold, const struct history_mark *mark)
{
    struct history *out = fold->out;
    if (out->mark_count == HISTORY_ITEMS_MAX)
        return;
    out->marks = grow(fold->arena, out->marks, out->mark_count, &fold->mark_size, sizeof(*mark));
    out->marks[out->mark_count++] = *mark;
}

/* ---- members ---------------------------------------------------------------------------------------------------- */

static const char *get(const json_t *record, const char *name)
{
    const char *text = json_string_value(json_object_get(record, name));
    return text ? text : "";
}

static char *copy_text(struct arena *arena, const char *text, size_t most)
{
    size_t length = strlen(text);
    if (length > most) /* not within a character */
        for (length = most; length > 0 && ((unsigned char)text[length] & 0xC0) == 0x80;)
            length--;
    return arena_text_n(arena, text, length);
}

/* ---- what changes the state ------------------------------------------------------------------------------------- */

static bool is_mine(const struct history_fold *fold, const json_t *record)
{
    const char *part = get(record, "part");
    return strcmp(get(record, "check"), fold->check) == 0 && (!fold->part || strcmp(part, fold->part) == 0);
}

/* None when there is none. */
static struct history_state last_state(const struct history_fold *fold)
{
    const struct history *out = fold->out;
    return out->state_count ? out->states[out->state_count - 1] : (struct history_state){ .none = true };
}

static bool is_critical(const struct history_state *state)
{
    return !state->none && !state->soft && state->state == BELFRY_CRITICAL;
}

static void on_state(struct history_fold *fold, const json_t *record, int64_t at_s)
{
    struct history_state state = { .at_s = at_s, .soft = strcmp(get(record, "kind"), "soft") == 0 };
    struct history_state before = { .at_s = 0 };
    const struct history_state last = last_state(fold);
    if (!is_mine(fold, record) || !state_from_name(get(record, "to"), &state.state))
        return;
    if (fold->out->state_count == 0 && state_from_name(get(record, "from"), &before.state))
        add_state(fold, &before);
    add_state(fold, &state);
    if (is_critical(&state) && !is_critical(&last))
        history_mark(fold, &(struct history_mark){ at_s, HISTORY_BAD, "CRITICAL",
                                                   copy_text(fold->arena, get(record, "text"), TEXT_MAX) });
}

static void on_check_state(struct history_fold *fold, const json_t *record, int64_t at_s)
{
    if (!fold->part)
        on_state(fold, record, at_s);
}

static void on_part_state(struct history_fold *fold, const json_t *record, int64_t at_s)
{
    if (fold->part)
        on_state(fold, record, at_s);
}

static void on_no_state(struct history_fold *fold, const json_t *record, int64_t at_s)
{
    if (strcmp(get(record, "check"), fold->check) == 0)
        add_state(fold, &(struct history_state){ .at_s = at_s, .none = true });
}

static void on_part_gone(struct history_fold *fold, const json_t *record, int64_t at_s)
{
    if (fold->part && is_mine(fold, record))
        add_state(fold, &(struct history_state){ .at_s = at_s, .none = true });
}

/* ---- when nobody looks ------------------------------------------------------------------------------------------ */

static void on_stopped(struct history_fold *fold, const json_t *record, int64_t at_s)
{
    (void)record;
    fold->down_s = at_s;
    fold->before = last_state(fold);
    if (!fold->before.none)
        add_state(fold, &(struct history_state){ .at_s = at_s, .none = true });
}

/* Without a record of its end the daemon was killed, or the machine was, some time after the last record. */
static void on_started(struct history_fold *fold, const json_t *record, int64_t at_s)
{
    (void)record;
    int64_t from_s = fold->down_s ? fold->down_s : fold->seen_s;
    if (from_s)
        add_blind(fold, &(struct history_blind){ from_s, at_s, "belfryd was down", fold->down_s == 0, false });
    if (fold->down_s && !fold->before.none) {
        fold->before.at_s = at_s;
        add_state(fold, &fold->before);
    }
    fold->down_s = 0;
}

static void on_blind(struct history_fold *fold, const json_t *record, int64_t at_s)
{
    int64_t ms = json_integer_value(json_object_get(record, "ms"));
    if (ms > 0 && ms / 1000 < at_s)
        add_blind(fold, &(struct history_blind){ at_s - ms / 1000, at_s, "Belfry was blind", false, false });
}

static bool is_my_breaker(const struct history_fold *fold, const json_t *record)
{
    return strcmp(get(record, "breaker"), fold->breaker ? fold->breaker : fold->check) == 0;
}

static void on_open(struct history_fold *fold, const json_t *record, int64_t at_s)
{
    if (is_my_breaker(fold, record) && !fold->open_s)
        fold->open_s = at_s;
}

static void on_closed(struct history_fold *fold, const json_t *record, int64_t at_s)
{
    if (!is_my_breaker(fold, record))
        return;
    if (fold->open_s)
        add_blind(fold, &(struct history_blind){ fold->open_s, at_s, "circuit open", false, true });
    fold->open_s = 0;
}

static const struct step {
    const char *type;
    void (*take)(struct history_fold *fold, const json_t *record, int64_t at_s);
    enum history_about about;
} steps[] = {
    { "check.state", on_check_state, HISTORY_OF_CHECK }, { "part.state", on_part_state, HISTORY_OF_CHECK },
    { "check.added", on_no_state, HISTORY_OF_CHECK },    { "check.removed", on_no_state, HISTORY_OF_CHECK },
    { "part.gone", on_part_gone, HISTORY_OF_CHECK },     { "daemon.stopped", on_stopped, HISTORY_OF_ALL },
    { "daemon.started", on_started, HISTORY_OF_ALL },    { "monitor.blind", on_blind, HISTORY_OF_ALL },
    { "breaker.open", on_open, HISTORY_OF_BREAKER },     { "breaker.closed", on_closed, HISTORY_OF_BREAKER },
};

/* ---- what is marked --------------------------------------------------------------------------------------------- */

/* The label is the text, the member, or both. */
static const struct mark {
    const char *type;
    enum history_about about;
    enum history_kind kind;
    const char *label, *member;
} marks[] = {
    { "check.event", HISTORY_OF_CHECK, HISTORY_NOTE, "", "name" },
    { "check.added", HISTORY_OF_CHECK, HISTORY_NOTE, "added", "" },
    { "plugin.crashed", HISTORY_OF_CHECK, HISTORY_BAD, "plugin crashed", "" },
    { "incident.opened", HISTORY_OF_SERVICE, HISTORY_BAD, "incident", "name" },
    { "incident.resolved", HISTORY_OF_SERVICE, HISTORY_GOOD, "resolved", "name" },
    { "deploy.recorded", HISTORY_OF_SERVICE, HISTORY_NOTE, "deploy", "version" },
    { "config.loaded", HISTORY_OF_ALL, HISTORY_NOTE, "configuration", "" },
    { "daemon.started", HISTORY_OF_ALL, HISTORY_NOTE, "belfryd started", "" },
    { "daemon.panicked", HISTORY_OF_ALL, HISTORY_BAD, "belfryd crashed", "" },
    { "clock.stepped", HISTORY_OF_ALL, HISTORY_NOTE, "clock stepped", "" },
};

static bool is_about(const struct history_fold *fold, const json_t *record, enum history_about about)
{
    size_t length = strcspn(fold->check, "/");
    const char *service = get(record, "service"), *part = get(record, "part");
    if (about == HISTORY_OF_CHECK)
        return strcmp(get(record, "check"), fold->check) == 0 &&
               (!fold->part || !*part || strcmp(part, fold->part) == 0);
    return about == HISTORY_OF_ALL || (strlen(service) == length && strncmp(service, fold->check, length) == 0);
}

/* The start is one mark, not two. */
static bool is_of_start(const struct history_fold *fold, const struct mark *row, int64_t at_s)
{
    for (uint32_t i = fold->out->mark_count; strcmp(row->type, "config.loaded") == 0 && i > 0; i--) {
        const struct history_mark *mark = &fold->out->marks[i - 1];
        if (at_s - mark->at_s > SAME_START_S)
            break;
        if (strcmp(mark->label, "belfryd started") == 0)
            return true;
    }
    return false;
}

static void add_mark(struct history_fold *fold, const struct mark *row, const json_t *record, int64_t at_s)
{
    const char *member = get(record, row->member);
    if (!is_about(fold, record, row->about) || is_of_start(fold, row, at_s))
        return;
    const char *label = arena_print(fold->arena, "%s%s%s", row->label, *row->label && *member ? " " : "", member);
    history_mark(fold, &(struct history_mark){ at_s, row->kind, copy_text(fold->arena, label, HISTORY_LABEL_SIZE - 1),
                                               copy_text(fold->arena, get(record, "text"), TEXT_MAX) });
}

/* ---- the fold --------------------------------------------------------------------------------------------------- */

static const struct step *find_step(const char *type)
{
    for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++)
        if (strcmp(steps[i].type, type) == 0)
            return &steps[i];
    return NULL;
}

static const struct mark *find_mark(const char *type)
{
    for (size_t i = 0; i < sizeof(marks) / sizeof(*marks); i++)
        if (strcmp(marks[i].type, type) == 0)
            return &marks[i];
    return NULL;
}

const char *history_wants(size_t i, enum history_about *about)
{
    const size_t step_count = sizeof(steps) / sizeof(*steps), mark_count = sizeof(marks) / sizeof(*marks);
    if (i >= step_count + mark_count)
        return NULL;
    *about = i < step_count ? steps[i].about : marks[i - step_count].about;
    return i < step_count ? steps[i].type : marks[i - step_count].type;
}

/* Most records of a journal are of other services: those are not worth parsing. */
static bool may_concern(const struct history_fold *fold, const struct history_record *from)
{
    static const char *const of_all[] = { "daemon.", "monitor.", "config.", "clock.", "breaker." };
    for (size_t i = 0; i < sizeof(of_all) / sizeof(*of_all); i++)
        if (strncmp(from->type, of_all[i], strlen(of_all[i])) == 0)
            return true;
    return memmem(from->line, from->length, fold->check, strcspn(fold->check, "/")) != NULL;
}

void history_add(struct history_fold *fold, const struct history_record *from)
{
    const struct step *step = find_step(from->type);
    const struct mark *mark = find_mark(from->type);
    bool wanted = (step || mark) && may_concern(fold, from);
    json_t *record = wanted ? json_loadb(from->line, from->length, 0, NULL) : NULL;
    int64_t at_s = from->wall_ms / 1000;
    if (step && record)
        step->take(fold, record, at_s);
    if (mark && record)
        add_mark(fold, mark, record, at_s);
    if (strncmp(from->type, "journal.", strlen("journal.")) != 0)
        fold->seen_s = at_s;
    json_decref(record);
}

bool history_asks(const struct history_fold *fold, const struct history_record *next)
{
    return !fold->down_s && strcmp(next->type, "daemon.started") == 0;
}

void history_seen(struct history_fold *fold, int64_t wall_ms)
{
    fold->seen_s = wall_ms / 1000;
}

void history_end(struct history_fold *fold, int64_t until_s)
{
    if (fold->down_s)
        add_blind(fold, &(struct history_blind){ fold->down_s, until_s, "belfryd was down", false, false });
    if (fold->open_s)
        add_blind(fold, &(struct history_blind){ fold->open_s, until_s, "circuit open", false, true });
}

/* ---- the text --------------------------------------------------------------------------------------------------- */

static void print_member(struct buf *out, const char *before, const char *text)
{
    buf_text(out, before);
    buf_json_text(out, text);
}

void history_print(struct buf *out, const struct history *history)
{
    buf_text(out, "{ \"states\": [");
    for (uint32_t i = 0; i < history->state_count; i++) {
        const struct history_state *state = &history->states[i];
        buf_print(out, "%s{\"at\":%lld", i ? ",\n" : "\n", (long long)state->at_s);
        print_member(out, ",\"state\":", state->none ? NULL : state_name(state->state));
        buf_print(out, ",\"soft\":%s}", state->soft ? "true" : "false");
    }
    buf_text(out, "], \"blind\": [");
    for (uint32_t i = 0; i < history->blind_count; i++) {
        const struct history_blind *blind = &history->blind[i];
        buf_print(out, "%s{\"from\":%lld,\"until\":%lld", i ? ",\n" : "\n", (long long)blind->from_s,
                  (long long)blind->until_s);
        print_member(out, ",\"text\":", blind->text);
        buf_print(out, ",\"unsure\":%s,\"rests\":%s}", blind->unsure ? "true" : "false",
                  blind->rests ? "true" : "false");
    }
    buf_text(out, "], \"marks\": [");
    for (uint32_t i = 0; i < history->mark_count; i++) {
        const struct history_mark *mark = &history->marks[i];
        buf_print(out, "%s{\"at\":%lld", i ? ",\n" : "\n", (long long)mark->at_s);
        print_member(out, ",\"kind\":", kinds[mark->kind]);
        print_member(out, ",\"label\":", mark->label);
        print_member(out, ",\"text\":", mark->text);
        buf_text(out, "}");
    }
    buf_text(out, "] }\n");
}

static bool read_time(const json_t *object, const char *name, int64_t *out)
{
    const json_t *value = json_object_get(object, name);
    *out = json_integer_value(value);
    return json_is_integer(value) && *out >= 0 && *out <= TIME_MAX_S;
}

static bool read_state(struct history_fold *fold, const json_t *object)
{
    struct history_state state = { .soft = json_is_true(json_object_get(object, "soft")) };
    const json_t *name = json_object_get(object, "state");
    state.none = json_is_null(name);
    if (!read_time(object, "at", &state.at_s) ||
        (!state.none && (!json_is_string(name) || !state_from_name(json_string_value(name), &state.state))))
        return false;
    add_state(fold, &state);
    return true;
}

static bool read_blind(struct history_fold *fold, const json_t *object)
{
    struct history_blind blind = { .text = copy_text(fold->arena, get(object, "text"), TEXT_MAX),
                                   .unsure = json_is_true(json_object_get(object, "unsure")),
                                   .rests = json_is_true(json_object_get(object, "rests")) };
    if (!read_time(object, "from", &blind.from_s) || !read_time(object, "until", &blind.until_s))
        return false;
    add_blind(fold, &blind);
    return true;
}

static bool read_mark(struct history_fold *fold, const json_t *object)
{
    const char *kind = get(object, "kind");
    struct history_mark mark = { .label = copy_text(fold->arena, get(object, "label"), HISTORY_LABEL_SIZE - 1),
                                 .text = copy_text(fold->arena, get(object, "text"), TEXT_MAX) };
    while (mark.kind < HISTORY_KIND_COUNT && strcmp(kinds[mark.kind], kind) != 0)
        mark.kind++;
    if (mark.kind == HISTORY_KIND_COUNT || !read_time(object, "at", &mark.at_s))
        return false;
    history_mark(fold, &mark);
    return true;
}

static const struct list {
    const char *name;
    bool (*read)(struct history_fold *fold, const json_t *object);
} lists[] = { { "states", read_state }, { "blind", read_blind }, { "marks", read_mark } };

int history_parse(struct arena *arena, const char *text, size_t length, struct history *out, struct why *why)
{
    struct history_fold fold = { .arena = arena, .out = out };
    json_t *root = json_loadb(text, length, 0, NULL);
    int code = json_is_object(root) ? 0 : why_say(why, ERROR_SYNTAX, "the history is no JSON object");
    *out = (struct history){ 0 };
    for (size_t l = 0; code == 0 && l < sizeof(lists) / sizeof(*lists); l++) {
        const json_t *list = json_object_get(root, lists[l].name);
        for (size_t i = 0; code == 0 && i < json_array_size(list); i++)
            if (!lists[l].read(&fold, json_array_get(list, i)))
                code = why_say(why, ERROR_SYNTAX, "item %zu of '%s' in the history is not as it should be", i + 1,
                               lists[l].name);
    }
    json_decref(root);
    return code;
}
