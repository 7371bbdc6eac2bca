/* SPDX-License-Identifier: GPL-3.0-or-later */
/* evidence - what a drill has shown, as one JSON object: it goes to the keeper, which records its figures in the
 * journal together with the SHA-256 of the file, and stays in the file record/ID.json for an auditor. last.json has the
 * last one, and the last one that passed: the plugin 'drill' measures by it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "core/base/clock.h"
#include "core/base/text.h"
#include "core/drill/drill.h"
#include "core/model/evidence.h"

static const char *result_name(enum drill_result result)
{
    static const char *const names[] = { [DRILL_RUNNING] = "running",
                                         [DRILL_PASSED] = "passed",
                                         [DRILL_FAILED] = "failed",
                                         [DRILL_CANCELLED] = "cancelled",
                                         [DRILL_PLANNED] = "planned" };
    return names[result];
}

static json_t *utc(int64_t wall_ms)
{
    char text[TEXT_TIME_SIZE];
    return wall_ms > 0 ? json_string(text_format_utc(text, wall_ms)) : json_null();
}

/* A file's name may hold any bytes; JSON holds text. */
static json_t *text_or_null(const char *text)
{
    char visible[PATH_MAX];
    return text && text[0] ? json_string(text_visible(visible, sizeof visible, text, false)) : json_null();
}

/* What took how long. A tool that ran beside another phase is told by the processor time that it used. */
static json_t *phases(const struct outcome *outcome)
{
    json_t *list = json_array();
    for (int i = 0; i < PHASE_COUNT; i++)
        if (outcome->phase_ms[i] >= 0)
            json_array_append_new(list, json_pack("{s:s, s:I, s:I}", "name", phase_name((enum phase)i), "ms",
                                                  (json_int_t)outcome->phase_ms[i], "cpu_ms",
                                                  (json_int_t)outcome->tool_cpu_ms[i]));
    return list;
}

static json_t *assertions(const struct outcome *outcome)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < outcome->finding_count; i++)
        json_array_append_new(list, json_pack("{s:s, s:b, s:s}", "name", outcome->findings[i].name, "good",
                                              outcome->findings[i].good, "text", outcome->findings[i].text));
    return list;
}

static void name_rows(json_t *list, const struct drill_assertion *rows, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        json_array_append_new(list, json_string(rows[i].name ? rows[i].name : "assertion"));
}

/* What is going to be asked, by name. */
static json_t *questions(const struct drill_config *config)
{
    uint32_t count;
    const struct drill_assertion *smoke = drill_smoke_find(config->smoke, &count);
    json_t *list = json_array();
    name_rows(list, smoke, count);
    name_rows(list, config->assertions, config->assertion_count);
    return list;
}

static json_t *target(int64_t ms, int64_t most_ms)
{
    return json_pack("{s:I, s:I, s:b}", "ms", (json_int_t)ms, "target_ms", (json_int_t)most_ms, "met", ms <= most_ms);
}

static json_t *backup(const struct outcome *outcome)
{
    return json_pack("{s:o, s:o, s:I, s:o, s:o, s:o}", "path", text_or_null(outcome->backup), "id",
                     text_or_null(outcome->backup_id), "bytes", (json_int_t)outcome->backup_bytes, "written",
                     utc(outcome->backup_wall_ms), "sha256", text_or_null(outcome->sha256), "format",
                     text_or_null(outcome->format));
}

static json_t *room(const struct outcome *outcome)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I}", "disk_needed", (json_int_t)outcome->need_bytes, "disk_free",
                     (json_int_t)outcome->free_bytes, "memory_needed", (json_int_t)outcome->need_memory_bytes,
                     "memory_free", (json_int_t)outcome->free_memory_bytes, "disk_used",
                     (json_int_t)outcome->peak_bytes);
}

json_t *evidence_make(const struct run *run)
{
    const struct outcome *outcome = run->outcome;
    int64_t took_ms = clock_now_ms() - run->started_ms;
    int64_t data_ms = outcome->data_wall_ms ? outcome->data_wall_ms : outcome->backup_wall_ms;
    int64_t age_ms = run->started_wall_ms - data_ms; /* a clock that is ahead makes no negative age */
    bool failed = outcome->result == DRILL_FAILED;
    json_t *json =
        json_pack("{s:s, s:s, s:s, s:o, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:o, s:o, s:o, s:s}", "drill",
                  run->config->name, "id", run->id, "result", result_name(outcome->result), "started",
                  utc(run->started_wall_ms), "started_ms", (json_int_t)run->started_wall_ms, "ms", (json_int_t)took_ms,
                  "phase", failed ? json_string(phase_name(outcome->failed_phase)) : json_null(), "reason",
                  failed ? json_string(outcome->why) : json_null(), "backup", backup(outcome), "rto",
                  target(run_recovery_ms(run), run->config->rto_ms), "phases", phases(outcome), "assertions",
                  assertions(outcome), "tables", (json_int_t)outcome->tables, "server", text_or_null(outcome->server),
                  "isolation", text_or_null(outcome->isolation), "room", room(outcome), "belfry", PACKAGE_VERSION);
    if (outcome->others[0])
        json_object_set_new(json, "others", json_string(outcome->others));
    if (run->plan)
        json_object_set_new(json, "questions", questions(run->config));
    if (outcome->fetch_bytes > 0)
        json_object_set_new(
            json, "fetch",
            json_pack("{s:I, s:I}", "bytes", (json_int_t)outcome->fetch_bytes, "ms", (json_int_t)outcome->fetch_ms));
    if (data_ms > 0 && run_takes_newest(run))
        json_object_set_new(json, "rpo", target(age_ms > 0 ? age_ms : 0, run->config->rpo_ms));
    return json;
}

/* ---- files ------------------------------------------------------------------------------------------------------- */

int evidence_write(const struct run *run, json_t *evidence, char hex[65])
{
    return evidence_keep(run->record, evidence, hex);
}
