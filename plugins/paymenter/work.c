/* SPDX-License-Identifier: GPL-3.0-or-later */
/* work - what Paymenter does behind its pages, by its tables: the scheduler of every minute, the cron of every day, the
 * queue's worker, jobs that failed, mail.
 *
 * A job that was taken more than RETRY_S ago is free again for any worker: that is how Laravel sees it, and a worker
 * that was killed leaves such jobs behind. A CreateJob that failed leaves its service active, without a server; the row
 * in failed_jobs is the only trace until somebody retries or forgets it. Of a payload only the job's name and the
 * service's id leave the server.
 */
#include "plugins/paymenter/books.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "plugins/common/say.h"

#define RETRY_S 90
#define STEPS 8     /* kinds of rows in cron_stats after a good day */
#define AHEAD_S 120 /* how far the shop's clock may be ahead */
#define EVENTS_MAX 10
#define FAILURES_MAX 500

/* ---- scheduler and cron -------------------------------------------------------------------------------------- */

/* The age of a time, measured; the part says so when there is none, or it lies ahead. NaN then. */
static double tell_age(struct books *b, const char *part, const char *metric, const char *text, const char *never)
{
    struct shop *s = b->s;
    int64_t when = *text ? books_time(b, text) : 0;
    if (!*text) {
        books_trouble(b, part, BELFRY_CRITICAL, "%s", never);
    } else if (when == 0) {
        books_trouble(b, part, BELFRY_UNKNOWN, "its last run '%s' is no time", say_excerpt(s->p, text, strlen(text)));
    } else if (when > s->now + AHEAD_S) {
        books_trouble(b, part, BELFRY_UNKNOWN,
                      "its last run lies in the future: the shop's clock, or its setting 'timezone', is wrong");
    } else {
        belfry_measure(s->p, metric, shop_age(s, when));
        belfry_part(s->p, part, BELFRY_OK, "ran %s ago", belfry_ago(s->p, when < s->now ? when : s->now));
        return shop_age(s, when);
    }
    return NAN;
}

void books_scheduler(struct books *b)
{
    tell_age(b, "scheduler", "scheduler_age", b->heartbeat,
             "has never run: is 'php artisan schedule:run' in the crontab?");
}

/* The day, as text, whose cron must have run an hour ago. */
static const char *due_day(struct books *b)
{
    int64_t local = zone_local(b->zone, b->s->now), begin = local - local % SHOP_DAY;
    char *end = NULL;
    long hours = strtol(b->cron_time, &end, 10), minutes = end && *end == ':' ? strtol(end + 1, NULL, 10) : 0;
    if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59)
        hours = minutes = 0;
    bool due = local >= begin + hours * 3600 + minutes * 60 + 3600;
    return say_copy(b->s->p, zone_text(b->s->p, b->zone, due ? b->s->now : b->s->now - SHOP_DAY), 10);
}

void books_cron(struct books *b)
{
    struct belfry_probe *p = b->s->p;
    double age = tell_age(b, "daily cron", "cron_age", b->cron_run,
                          "has never ended well: it writes its time only when all of it worked");
    const char *day = due_day(b);
    const struct sql_rows *rows = books_ask(
        b, "daily cron",
        belfry_print(p, "SELECT COUNT(DISTINCT `key`) AS steps FROM cron_stats WHERE DATE(date) = '%s'", day));
    if (!rows || rows->count != 1 || isnan(age))
        return;
    double steps = books_number(rows, 0, "steps");
    belfry_measure(p, "cron_steps", steps);
    belfry_part(p, "daily cron", BELFRY_OK, "ended well %s ago; %.0f of %d steps on %s",
                belfry_ago(p, b->s->now - (int64_t)age), steps, STEPS, day);
}

/* ---- the queue ----------------------------------------------------------------------------------------------- */

void books_queue(struct books *b)
{
    struct belfry_probe *p = b->s->p;
    const struct sql_rows *rows = books_ask(
        b, "queue",
        belfry_print(
            p,
            "SELECT COUNT(*) AS waiting, COALESCE(UNIX_TIMESTAMP() - MIN(COALESCE(reserved_at + %d, available_at)), "
            "0) AS oldest, (SELECT COUNT(*) FROM jobs) AS all_jobs FROM jobs WHERE COALESCE(reserved_at + %d, "
            "available_at) <= UNIX_TIMESTAMP()",
            RETRY_S, RETRY_S));
    if (!rows || rows->count != 1)
        return;
    double waiting = books_number(rows, 0, "waiting"), oldest = fmax(0, books_number(rows, 0, "oldest"));
    belfry_measure(p, "queue_waiting", waiting);
    belfry_measure(p, "queue_oldest", oldest);
    if (books_number(rows, 0, "all_jobs") == 0)
        belfry_part(p, "queue", BELFRY_OK, "the table is empty (with QUEUE_CONNECTION=redis it always is)");
    else if (waiting == 0)
        belfry_part(p, "queue", BELFRY_OK, "nothing waits");
    else
        belfry_part(p, "queue", BELFRY_OK, "%.0f jobs wait, the oldest for %s", waiting, say_seconds(p, oldest));
}

/* ---- failed jobs --------------------------------------------------------------------------------------------- */

struct failure {
    const char *job, *service, *uuid, *text; /* service "" when it is about none */
    int64_t when;
    bool server; /* one that changes a server on the panel */
};

static bool only_of(const char *text, const char *characters, size_t most)
{
    size_t length = text ? strspn(text, characters) : 0;
    return length > 0 && length <= most && text[length] == '\0';
}

static bool is_server_job(const char *job)
{
    static const char *const jobs[] = { "CreateJob", "SuspendJob", "UnsuspendJob", "TerminateJob", "UpgradeJob" };
    for (size_t i = 0; i < sizeof jobs / sizeof jobs[0]; i++)
        if (strcmp(jobs[i], job) == 0)
            return true;
    return false;
}

static struct failure read_failure(struct books *b, const struct sql_rows *rows, size_t row)
{
    static const char word[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    struct failure f = { sql_cell(rows, row, "job"),
                         sql_cell(rows, row, "service"),
                         sql_cell(rows, row, "uuid"),
                         sql_cell(rows, row, "failed_at"),
                         0,
                         false };
    f.job = only_of(f.job, word, 40) ? f.job : "a job without a name";
    f.service = only_of(f.service, "0123456789", 18) ? f.service : "";
    f.uuid = only_of(f.uuid, word, 36) ? f.uuid : "?";
    f.text = f.text ? f.text : "";
    f.when = books_time(b, f.text);
    f.server = is_server_job(f.job);
    return f;
}

/* What has failed since the last run; the newest time is kept, so the first run tells none. */
static void tell_news(struct books *b, const struct failure *failures, size_t count)
{
    struct belfry_probe *p = b->s->p;
    const char *seen = belfry_kept(p, "failed");
    for (size_t i = 0; i < count && i < EVENTS_MAX && seen && strcmp(failures[i].text, seen) > 0; i++)
        belfry_event(p, "job.failed", *failures[i].service ? belfry_print(p, "service %s", failures[i].service) : NULL,
                     "%s failed", failures[i].job);
    belfry_keep(p, "failed", count > 0 ? failures[0].text : seen ? seen : "0");
}

/* Services that are active and whose CreateJob failed: as far as is known here they have no server. */
static void look_for_victims(struct books *b, const struct failure *failures, size_t count)
{
    struct belfry_probe *p = b->s->p;
    const char *ids = "0";
    size_t found = 0;
    for (size_t i = 0; i < count; i++)
        if (strcmp(failures[i].job, "CreateJob") == 0 && *failures[i].service)
            ids = belfry_print(p, "%s,%s", ids, failures[i].service);
    const struct sql_rows *rows =
        books_ask(b, "failed jobs",
                  belfry_print(p, "SELECT id FROM services WHERE status = 'active' AND id IN (%s) ORDER BY id", ids));
    for (size_t k = 0; rows && k < rows->count; k++) {
        const struct failure *f = failures;
        while (f < failures + count &&
               (strcmp(f->job, "CreateJob") != 0 || !rows->cells[k][0] || strcmp(f->service, rows->cells[k][0]) != 0))
            f++;
        if (f == failures + count)
            continue;
        found++;
        if (++b->s->stuck <= SHOP_STUCK_MAX)
            belfry_part(p, belfry_print(p, "service %s", f->service), BELFRY_CRITICAL,
                        "active, but its server was not created: CreateJob failed %s ago; mend the cause, then php "
                        "artisan queue:retry %s (or queue:forget, when it was made by hand)",
                        belfry_ago(p, f->when), f->uuid);
    }
    if (rows)
        belfry_measure(p, "creation_failed", (double)found);
    if (found > 0)
        shop_sum_up(b->s, belfry_print(p, "%zu active whose server was not created", found));
}

void books_failures(struct books *b)
{
    struct belfry_probe *p = b->s->p;
    const struct sql_rows *rows = books_ask(
        b, "failed jobs",
        belfry_print(
            p,
            "SELECT uuid, failed_at, LEFT(SUBSTRING_INDEX(SUBSTRING_INDEX(SUBSTRING_INDEX(payload, "
            "'\"displayName\":\"', -1), '\"', 1), CHAR(92), -1), 60) AS job, IF(LOCATE('Models', payload) > 0, "
            "LEFT(SUBSTRING_INDEX(SUBSTRING_INDEX(SUBSTRING_INDEX(payload, CONCAT('s:2:', CHAR(92), '\"id', "
            "CHAR(92), '\";i:'), 2), CONCAT('s:2:', CHAR(92), '\"id', CHAR(92), '\";i:'), -1), ';', 1), 20), '') "
            "AS service, (SELECT COUNT(*) FROM failed_jobs) AS total FROM failed_jobs ORDER BY failed_at DESC "
            "LIMIT %d",
            FAILURES_MAX));
    if (!rows)
        return;
    struct failure *failures = belfry_alloc(p, (rows->count + 1) * sizeof *failures);
    int64_t since = b->s->now - (int64_t)belfry_number(p, "failed_within");
    size_t server = 0, other = 0;
    for (size_t i = 0; i < rows->count; i++) {
        failures[i] = read_failure(b, rows, i);
        server += failures[i].when >= since && failures[i].server;
        other += failures[i].when >= since && !failures[i].server;
    }
    belfry_measure(p, "failed_server_jobs", (double)server);
    belfry_measure(p, "failed_jobs", (double)other);
    belfry_measure(p, "failed_jobs_total", rows->count > 0 ? books_number(rows, 0, "total") : 0);
    belfry_part(p, "failed jobs", BELFRY_OK, "%zu lately that change a server, %zu others; %.0f in all%s%s", server,
                other, rows->count > 0 ? books_number(rows, 0, "total") : 0, server + other > 0 ? "; the newest: " : "",
                server + other > 0 ? failures[0].job : "");
    if (server + other > 0)
        shop_sum_up(b->s, belfry_print(p, "%zu job%s failed", server + other, server + other == 1 ? "" : "s"));
    tell_news(b, failures, rows->count);
    if (!belfry_has(p, "panel_url")) /* the panel knows better */
        look_for_victims(b, failures, rows->count);
}

/* ---- mail ---------------------------------------------------------------------------------------------------- */

void books_mail(struct books *b)
{
    struct belfry_probe *p = b->s->p;
    if (b->mail_disabled) {
        belfry_part(p, "mail", BELFRY_OK, "switched off in Paymenter");
        return;
    }
    const struct sql_rows *rows = books_ask(
        b, "mail",
        belfry_print(p,
                     "SELECT SUM(status = 'failed' AND created_at >= %s) AS failed, SUM(status = 'pending') AS "
                     "pending, MIN(CASE WHEN status = 'pending' THEN created_at END) AS oldest FROM email_logs",
                     books_when(b, b->s->now - 3600)));
    if (!rows || rows->count != 1)
        return;
    int64_t oldest = books_time(b, sql_cell(rows, 0, "oldest"));
    double failed = books_number(rows, 0, "failed");
    belfry_measure(p, "mails_failed", failed);
    belfry_measure(p, "mail_wait", oldest > 0 ? shop_age(b->s, oldest) : 0);
    belfry_part(p, "mail", BELFRY_OK, "%.0f failed within an hour, %.0f wait", failed,
                books_number(rows, 0, "pending"));
}
