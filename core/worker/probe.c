/* SPDX-License-Identifier: GPL-3.0-or-later */
/* probe - the table of functions that a plugin gets: options, waiting and the small helps are here, what it reports is
 * in report.c and kept.c, names are resolved in resolver.c. */
#include "core/worker/run.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/text.h"

/* ---- options ------------------------------------------------------------------------------------------------- */

static const struct option_value *find(struct run *run, const char *name)
{
    const struct option_value *value = values_find(run->values, name);
    if (value == NULL)
        run_misuse(run, "run() asked for option '%.64s', which is not in the plugin's table of options",
                   name ? name : "(null)");
    return value;
}

/* The option when its type is among those of the mask, else NULL and misuse. */
static const struct option_value *find_typed(struct run *run, const char *name, unsigned types, const char *reader)
{
    const struct option_value *value = find(run, name);
    if (value == NULL || (types >> value->option->type & 1) != 0)
        return value;
    run_misuse(run, "run() read option '%.64s' with %s(), but its type is %s", name, reader,
               plugin_type_name(value->option->type));
    return NULL;
}

static const char *item(struct belfry_probe *p, const char *name, size_t i)
{
    const struct option_value *value = find(run_of(p), name);
    return value != NULL && i < value->count ? value->values[i] : NULL;
}

static const char *text(struct belfry_probe *p, const char *name)
{
    return item(p, name, 0);
}

static const char *key(struct belfry_probe *p, const char *name, size_t i)
{
    const struct option_value *value = find(run_of(p), name);
    return value != NULL && value->keys != NULL && i < value->count ? value->keys[i] : NULL;
}

static size_t count(struct belfry_probe *p, const char *name)
{
    const struct option_value *value = find(run_of(p), name);
    return value ? value->count : 0;
}

static int64_t integer(struct belfry_probe *p, const char *name)
{
    const unsigned types = 1u << BELFRY_INTEGER | 1u << BELFRY_PORT | 1u << BELFRY_SIZE;
    const struct option_value *value = find_typed(run_of(p), name, types, "belfry_integer");
    return value ? value->integer : 0;
}

static double number(struct belfry_probe *p, const char *name)
{
    const unsigned types = 1u << BELFRY_NUMBER | 1u << BELFRY_DURATION;
    const struct option_value *value = find_typed(run_of(p), name, types, "belfry_number");
    return value ? value->number : 0;
}

static bool flag(struct belfry_probe *p, const char *name)
{
    const struct option_value *value = find_typed(run_of(p), name, 1u << BELFRY_FLAG, "belfry_flag");
    return value != NULL && value->flag;
}

/* ---- waiting ------------------------------------------------------------------------------------------------- */

/* No wait is longer than a year: sums of nanoseconds then never overflow. */
#define WAIT_MS_MAX (INT64_C(366) * 86400 * 1000)

static bool has_twins(const struct pollfd *fds, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        for (size_t k = 0; fds[i].fd >= 0 && k < i; k++) {
            if (fds[k].fd == fds[i].fd)
                return true;
        }
    }
    return false;
}

static int check_fds(struct pollfd *fds, size_t n)
{
    if (n > RUN_WAIT_MAX || (n > 0 && fds == NULL))
        return -EINVAL;
    for (size_t i = 0; i < n; i++)
        fds[i].revents = 0;
    return has_twins(fds, n) ? -EINVAL : 0;
}

/* errno is set too, so that a plugin may write "%m". */
static int wait_for(struct belfry_probe *p, struct pollfd *fds, size_t n, int64_t timeout_ms)
{
    struct run *run = run_of(p);
    int64_t now = clock_now_ns(), until = run->deadline_ns;
    if (timeout_ms >= 0 && timeout_ms < WAIT_MS_MAX && now + timeout_ms * 1000000 < until)
        until = now + timeout_ms * 1000000;
    int rc = now >= run->deadline_ns ? -ETIMEDOUT : check_fds(fds, n);
    if (rc == 0)
        rc = run->host->wait(run, fds, n, until);
    if (rc == 0 && clock_now_ns() >= run->deadline_ns)
        rc = -ETIMEDOUT;
    if (rc < 0)
        errno = -rc;
    return rc;
}

static int64_t left_ms(struct belfry_probe *p)
{
    int64_t left = run_of(p)->deadline_ns - clock_now_ns();
    return left > 0 ? left / 1000000 : 0;
}

int run_wait_poll(struct run *run, struct pollfd *fds, size_t n, int64_t until_ns)
{
    (void)run;
    for (;;) {
        int64_t left = until_ns - clock_now_ns();
        if (left < 0)
            left = 0;
        struct timespec timeout = { .tv_sec = left / 1000000000, .tv_nsec = left % 1000000000 };
        int rc = ppoll(fds, n, &timeout, NULL);
        if (rc < 0 && errno == EINTR)
            continue;
        if (rc < 0)
            return -errno;
        for (size_t i = 0; i < n; i++) {
            if ((fds[i].revents & POLLNVAL) != 0)
                return -EBADF;
        }
        return rc;
    }
}

/* ---- small helps --------------------------------------------------------------------------------------------- */

static void *alloc(struct belfry_probe *p, size_t size)
{
    return run_memory(run_of(p), size);
}

#define PRINT_USUAL 256 /* longer texts are formatted twice */

static const char *print(struct belfry_probe *p, const char *format, va_list args)
{
    char text[PRINT_USUAL];
    int saved_errno = errno;
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(text, sizeof(text), format, again);
    va_end(again);
    if (n < 0)
        return "";
    char *out = run_memory(run_of(p), (size_t)n + 1);
    if ((size_t)n < sizeof(text))
        return memcpy(out, text, (size_t)n + 1);
    errno = saved_errno;
    vsnprintf(out, (size_t)n + 1, format, args);
    return out;
}

static const char *ago(struct belfry_probe *p, int64_t when)
{
    char age[TEXT_DURATION_SIZE];
    int64_t now_s = clock_wall_ms() / 1000, seconds = 0;
    if (when < now_s && __builtin_sub_overflow(now_s, when, &seconds))
        seconds = INT64_MAX / 1000;
    if (seconds > INT64_MAX / 1000)
        seconds = INT64_MAX / 1000;
    text_format_age(age, seconds * 1000);
    size_t size = strlen(age) + 1;
    return memcpy(run_memory(run_of(p), size), age, size);
}

static void write_log(struct belfry_probe *p, int level, const char *format, va_list args)
{
    struct run *run = run_of(p);
    if (run->log_lines > RUN_LOG_LINES_MAX)
        return;
    const char *line = run_vline(run, RESULT_TEXT_MAX, format, args);
    if (run->log_lines++ == RUN_LOG_LINES_MAX)
        line = "more lines than one run may log: the rest is dropped";
    if (level < BELFRY_DEBUG || level > BELFRY_ERROR)
        level = BELFRY_INFO;
    run->host->log(run, level, line);
}

const struct belfry_host run_functions = {
    .size = sizeof(struct belfry_host),
    .abi = BELFRY_ABI,
    .text = text,
    .integer = integer,
    .number = number,
    .flag = flag,
    .count = count,
    .item = item,
    .key = key,
    .verdict = report_verdict,
    .detail = report_detail,
    .part = report_part,
    .measure = report_measure,
    .sample = report_sample,
    .event = report_event,
    .kept = kept_get,
    .keep = kept_set,
    .rate = kept_rate,
    .wait = wait_for,
    .left_ms = left_ms,
    .resolve = resolve_address,
    .alloc = alloc,
    .print = print,
    .ago = ago,
    .log = write_log,
};
