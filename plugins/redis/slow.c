/* SPDX-License-Identifier: GPL-3.0-or-later */
/* slow - what made the server wait: the slow log and the latency monitor, each only when the sysadmin wants it, as it
 * takes rights of its own.
 *
 * SLOWLOG GET 1: the newest entry's id is a counter that goes on through SLOWLOG RESET and begins again with the
 * server; SLOWLOG LEN would stand still at the log's bound of 128. After a reset the log has no entry: then nothing was
 * added that is still to be seen. Of an entry only the id is read: its words are other people's data.
 *
 * LATENCY LATEST has a row for each kind of event that ever took longer than latency-monitor-threshold: [name, time of
 * the last, its milliseconds, most milliseconds]. A row stays until LATENCY RESET, so only one whose time is later than
 * all that the last run saw is a spike now. The list is empty while the monitor is off, as by default, and old rows
 * stay: CONFIG would tell, and passwords too, so LATENCY DOCTOR is asked, whose sentence about it has been the same
 * since 2.8.13.
 */
#include "plugins/redis/redis.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "plugins/common/say.h"

#define EVENTS_MAX 64

static void refuse(struct redis_link *link, struct redis_report *report, const struct redis_reply *reply)
{
    redis_add_problem(link->stream.p, report, BELFRY_UNKNOWN, redis_refusal(link, reply).text);
}

/* ---- slow log ------------------------------------------------------------------------------------------------ */

static bool judge_log(struct redis_link *link, struct redis_report *report)
{
    struct belfry_probe *p = link->stream.p;
    const struct redis_reply *list = redis_ask_list(link, "SLOWLOG", "GET", "1", NULL);
    if (!list)
        return false;
    bool some = list->type == REDIS_REPLY_ARRAY && list->count > 0;
    if (list->type != REDIS_REPLY_ARRAY || (some && list->items[0]->count < 1)) {
        refuse(link, report, list);
        return true;
    }
    const char *before = report->restarted ? NULL : belfry_kept(p, "slow_log");
    uint64_t total = some     ? (uint64_t)llabs(list->items[0]->items[0]->integer) + 1
                     : before ? strtoull(before, NULL, 10)
                              : 0;
    belfry_keep(p, "slow_log", belfry_print(p, "%" PRIu64, total));
    belfry_measure_rate(p, "slow_commands", total);
    return true;
}

/* ---- latency monitor ----------------------------------------------------------------------------------------- */

static bool judge_doctor(struct redis_link *link, size_t kinds)
{
    struct belfry_probe *p = link->stream.p;
    const char *name = "latency";
    const struct redis_reply *doctor = redis_ask(link, "LATENCY", "DOCTOR", NULL);
    if (!doctor)
        return false;
    if (doctor->type != REDIS_REPLY_STRING && doctor->type != REDIS_REPLY_STATUS)
        belfry_part(p, name, BELFRY_UNKNOWN, "the monitor may be off: the server %s", redis_refusal(link, doctor).text);
    else if (strstr(doctor->text, "disabled"))
        belfry_part(p, name, BELFRY_WARNING,
                    "the monitor is off and sees nothing: CONFIG SET latency-monitor-threshold 100");
    else
        belfry_part(p, name, BELFRY_OK, "the monitor is on, %zu kind%s of events seen", kinds, kinds == 1 ? "" : "s");
    return true;
}

/* One row; the time of its last event. */
static double judge_event(struct redis_link *link, const struct redis_report *report, const struct redis_reply *row,
                          double seen)
{
    struct belfry_probe *p = link->stream.p;
    const char *name = belfry_print(p, "latency/%s", say_excerpt(p, row->items[0]->text, strlen(row->items[0]->text)));
    double at = (double)row->items[1]->integer, last = (double)row->items[2]->integer / 1000;
    belfry_part(p, name, BELFRY_OK, "took %s %s ago, at most %s", say_seconds(p, last),
                redis_say_age(p, fmax(0, report->now - at)), say_seconds(p, (double)row->items[3]->integer / 1000));
    if (!isnan(seen))
        belfry_measure_part(p, name, "latency_spike", at > seen ? last : 0);
    return at;
}

static bool judge_monitor(struct redis_link *link, struct redis_report *report)
{
    struct belfry_probe *p = link->stream.p;
    const struct redis_reply *list = redis_ask_list(link, "LATENCY", "LATEST", NULL);
    if (!list)
        return false;
    if (list->type != REDIS_REPLY_ARRAY) {
        refuse(link, report, list);
        return true;
    }
    const char *kept = belfry_kept(p, "latency_seen");
    double seen = kept ? strtod(kept, NULL) : NAN, newest = kept ? seen : 0;
    for (size_t i = 0; i < list->count && i < EVENTS_MAX; i++)
        if (list->items[i]->count >= 4)
            newest = fmax(newest, judge_event(link, report, list->items[i], seen));
    belfry_keep(p, "latency_seen", belfry_print(p, "%.0f", newest));
    return judge_doctor(link, list->count);
}

bool redis_judge_slowness(struct redis_link *link, struct redis_report *report)
{
    struct belfry_probe *p = link->stream.p;
    return (!belfry_flag(p, "slow_log") || judge_log(link, report)) &&
           (!belfry_flag(p, "latency_events") || judge_monitor(link, report));
}
