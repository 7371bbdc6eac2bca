/* SPDX-License-Identifier: GPL-3.0-or-later */
/* drill - how a restore drill went, or a rehearsal of a runbook, and how long ago one passed. Each of the configuration
 * brings a check of this plugin with it, drills/NAME or recovery/NAME; nobody needs to write one.
 *
 * It reads what was left in its last.json: {"last": EVIDENCE, "passed": EVIDENCE or null}. When none has
 * passed yet, its age counts from the first run of this check, so that a drill that never runs becomes an alarm. */
#include <belfry/plugin.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const struct belfry_option options[] = {
    { "record", BELFRY_PATH, "File last.json of the drill's evidence", .required = true,
      .example = "/var/lib/belfry/drills/shop/last.json" },
    { "runbook", BELFRY_FLAG, "It is that of a runbook", .fallback = "false" },
    BELFRY_END,
};

static const struct belfry_metric metrics[] = {
    { "age", "s", "Since the last drill that passed began", .min = "0" },
    { "rto", "s", "How long the last drill took", .min = "0" },
    { "rpo", "s", "How old the data was that the last drill restored", .min = "0" },
    { "restore", "s", "How long its phase 'restore' took", .min = "0" },
    { "size", "B", "Size of the backup", .min = "0" },
    { "tables", "", "Tables, or keys, that were restored", .min = "0" },
    BELFRY_END,
};

static const struct belfry_view views[] = {
    { "objectives", "Recovery time and age of the data", "rto rpo", .style = BELFRY_LINES },
    { "last", "Age of the last drill that passed", "age", .style = BELFRY_LINES },
    { "volume", "Size of the backup", "size", .style = BELFRY_LINES },
    BELFRY_END,
};

static const char *text_of(const json_t *json, const char *key)
{
    const char *text = json_string_value(json_object_get(json, key));
    return text ? text : "";
}

static json_int_t integer_of(const json_t *json, const char *key)
{
    return json_integer_value(json_object_get(json, key));
}

static double seconds_of(const json_t *evidence, const char *key)
{
    return (double)integer_of(json_object_get(evidence, key), "ms") / 1000;
}

static void measure_restore(struct belfry_probe *p, const json_t *evidence)
{
    size_t i;
    const json_t *phase;
    json_array_foreach(json_object_get(evidence, "phases"), i, phase)
    {
        if (strcmp(text_of(phase, "name"), "restore") == 0)
            belfry_measure(p, "restore", (double)integer_of(phase, "ms") / 1000);
    }
}

/* Only a drill that went through says how long it takes. */
static void measure_run(struct belfry_probe *p, const json_t *evidence)
{
    belfry_measure(p, "rto", seconds_of(evidence, "rto"));
    if (json_object_get(evidence, "rpo"))
        belfry_measure(p, "rpo", seconds_of(evidence, "rpo"));
    if (belfry_flag(p, "runbook"))
        return;
    measure_restore(p, evidence);
    belfry_measure(p, "size", (double)integer_of(json_object_get(evidence, "backup"), "bytes"));
    belfry_measure(p, "tables", (double)integer_of(evidence, "tables"));
}

/* The time from which the age counts: of the last that passed, else when this was first asked. */
static time_t count_from(struct belfry_probe *p, const json_t *passed)
{
    const char *kept = belfry_kept(p, "first");
    char text[32];
    if (json_is_object(passed))
        return (time_t)(integer_of(passed, "started_ms") / 1000);
    if (kept)
        return (time_t)strtoll(kept, NULL, 10);
    snprintf(text, sizeof text, "%lld", (long long)time(NULL));
    belfry_keep(p, "first", text);
    return time(NULL);
}

static void say(struct belfry_probe *p, const json_t *last)
{
    const char *result = text_of(last, "result"), *phase = text_of(last, "phase");
    bool runbook = belfry_flag(p, "runbook");
    time_t at = (time_t)(integer_of(last, "started_ms") / 1000);
    if (!last)
        belfry_warning(p, "no %s has run yet: belfry drill run starts one", runbook ? "rehearsal" : "drill");
    else if (strcmp(result, "passed") == 0)
        belfry_ok(p, "passed %s ago: %s in %.0f s", belfry_ago(p, at), runbook ? "recovered" : "restored and asked",
                  seconds_of(last, "rto"));
    else if (strcmp(result, "cancelled") == 0)
        belfry_ok(p, "the last one was cancelled %s ago", belfry_ago(p, at));
    else
        belfry_critical(p, "failed %s ago%s%s: %s", belfry_ago(p, at),
                        *phase == '\0' ? ""
                        : runbook      ? " in step "
                                       : " in phase ",
                        phase, text_of(last, "reason"));
}

static void run(struct belfry_probe *p)
{
    const char *path = belfry_text(p, "record");
    json_error_t error;
    errno = 0;
    json_t *root = json_load_file(path, 0, &error);
    if (!root && errno != ENOENT) {
        belfry_unknown(p, "%s: %s", path, errno ? strerror(errno) : error.text);
        return;
    }
    const json_t *last = json_object_get(root, "last"), *passed = json_object_get(root, "passed");
    time_t from = count_from(p, passed);
    belfry_measure(p, "age", difftime(time(NULL), from));
    if (json_is_object(passed))
        measure_run(p, passed);
    say(p, last);
    json_decref(root);
}

BELFRY_PLUGIN("drill", "1.0", "Outcome and age of restore drills", options, metrics, run, .views = views,
              .needs = BELFRY_NEEDS_FILES)
