/* SPDX-License-Identifier: GPL-3.0-or-later */
/* kept - what a check remembers from run to run, and rates made from it.
 *
 * A run gets all kept values of its check and returns all of them when one changed. A rate keeps "COUNTER MS BOOT": the
 * counter, CLOCK_BOOTTIME in ms, and a hash of this boot's id, because the clock starts again with the machine. */
#include "core/worker/run.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/text.h"

void kept_begin(struct run *run, const struct kept *kept)
{
    run->result.kept = *kept;
    for (uint32_t i = 0; i < kept->count; i++)
        run->kept_bytes += strlen(kept->values[i].key) + strlen(kept->values[i].value);
}

static struct kept_value *find(struct run *run, const char *key)
{
    struct kept *kept = &run->result.kept;
    for (uint32_t i = 0; i < kept->count; i++) {
        if (strcmp(kept->values[i].key, key) == 0)
            return &kept->values[i];
    }
    return NULL;
}

const char *kept_get(struct belfry_probe *p, const char *key)
{
    const struct kept_value *value = key ? find(run_of(p), key) : NULL;
    return value ? value->value : NULL;
}

/* The list is the order's own until the first change. */
static void own_list(struct run *run)
{
    struct kept *kept = &run->result.kept;
    if (run->kept_size > 0)
        return;
    run->kept_size = RESULT_KEPT_MAX;
    struct kept_value *own = arena_array(run->arena, RESULT_KEPT_MAX, sizeof(*own));
    if (kept->count > 0)
        memcpy(own, kept->values, kept->count * sizeof(*own));
    kept->values = own;
    run->result.kept_changed = true;
}

static void forget(struct run *run, const char *key)
{
    if (find(run, key) == NULL)
        return;
    own_list(run);
    struct kept_value *value = find(run, key);
    run->kept_bytes -= strlen(value->key) + strlen(value->value);
    *value = run->result.kept.values[--run->result.kept.count];
}

static bool is_key(const char *key)
{
    size_t n = key ? strnlen(key, RESULT_NAME_MAX + 1) : 0;
    return n > 0 && n <= RESULT_NAME_MAX;
}

void kept_set(struct belfry_probe *p, const char *key, const char *value)
{
    struct run *run = run_of(p);
    struct kept *kept = &run->result.kept;
    if (!is_key(key)) {
        run_misuse(run, "run() kept a value under a name of no or more than %d bytes", RESULT_NAME_MAX);
        return;
    }
    const struct kept_value *old = find(run, key);
    if (value == NULL || (old != NULL && strcmp(old->value, value) == 0)) {
        if (value == NULL)
            forget(run, key);
        return;
    }
    size_t n = strnlen(value, RESULT_KEPT_BYTES_MAX + 1), key_n = strlen(key);
    size_t freed = old ? key_n + strlen(old->value) : 0;
    bool full = old == NULL && kept->count == RESULT_KEPT_MAX;
    if (full || n > RESULT_KEPT_BYTES_MAX || run->kept_bytes - freed + key_n + n > RUN_KEPT_TOTAL_MAX) {
        run->result.truncated = true;
        return;
    }
    char *text = memcpy(run_memory(run, n + 1), value, n + 1);
    own_list(run);
    struct kept_value *at = find(run, key);
    if (at == NULL) {
        at = &kept->values[kept->count++];
        at->key = memcpy(run_memory(run, key_n + 1), key, key_n + 1);
    }
    at->value = text;
    run->kept_bytes += key_n + n - freed;
}

static uint64_t boot;
static pthread_once_t boot_once = PTHREAD_ONCE_INIT;

static void read_boot(void)
{
    char id[64] = "";
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    ssize_t n = read(fd, id, sizeof(id) - 1);
    close(fd);
    boot = n > 0 ? text_hash(id) : 0;
}

/* The same for all of this boot, and so for the life of the process; 0 when the kernel does not say. */
static uint64_t boot_hash(void)
{
    pthread_once(&boot_once, read_boot);
    return boot;
}

struct reading {
    uint64_t counter, boot;
    int64_t at_ms;
};

/* Decimal digits and one blank or the end; false when there are none or too many. */
static bool take_number(const char **text, uint64_t *out)
{
    char *end;
    if (**text < '0' || **text > '9')
        return false;
    errno = 0;
    *out = strtoull(*text, &end, 10);
    if (errno != 0 || (*end != ' ' && *end != '\0'))
        return false;
    *text = *end ? end + 1 : end;
    return true;
}

static bool parse_reading(const char *text, struct reading *out)
{
    uint64_t at;
    if (text == NULL || !take_number(&text, &out->counter) || !take_number(&text, &at) ||
        !take_number(&text, &out->boot) || at > INT64_MAX)
        return false;
    out->at_ms = (int64_t)at;
    return true;
}

bool kept_rate(struct belfry_probe *p, const char *key, uint64_t counter, double *per_second)
{
    struct run *run = run_of(p);
    struct reading now = { counter, boot_hash(), clock_now_ms() }, last;
    bool known = parse_reading(kept_get(p, key), &last);
    char text[80];
    snprintf(text, sizeof(text), "%" PRIu64 " %" PRId64 " %" PRIu64, now.counter, now.at_ms, now.boot);
    kept_set(p, key, text);
    if (!known || last.boot != now.boot || last.at_ms >= now.at_ms || last.counter > now.counter || run->misuse)
        return false;
    *per_second = (double)(now.counter - last.counter) * 1000 / (double)(now.at_ms - last.at_ms);
    return true;
}
