/* SPDX-License-Identifier: GPL-3.0-or-later */
/* kept - what a check remembers from run to run, and rates made from it.
 *
 * A run gets all kept values of its check and returns all of them when one changed. A rate keeps "COUNTER MS BOOT": the
 * counter, CLOCK_BOOTTIME in ms, and a hash of this boot's id, because the clock starts again with the machine. */
#include "core/worker/run.h"

#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/text.h"

#define KEPT_USUAL 32u

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
        const char *known = kept->values[i].key;
        if (known[0] == key[0] && strcmp(known, key) == 0)
            return &kept->values[i];
    }
    return NULL;
}

const char *kept_get(struct belfry_probe *p, const char *key)
{
    const struct kept_value *value = key ? find(run_of(p), key) : NULL;
    return value ? value->value : NULL;
}

/* The list is the order's own until the first change. Afterwards there is room for one more. */
static void own_list(struct run *run)
{
    struct kept *kept = &run->result.kept;
    run->result.kept_changed = true;
    if (kept->count < run->kept_size)
        return;
    run->kept_size = 2 * kept->count < KEPT_USUAL ? KEPT_USUAL : 2 * kept->count;
    struct kept_value *own = arena_array(run->arena, run->kept_size, sizeof(*own));
    if (kept->count > 0)
        memcpy(own, kept->values, kept->count * sizeof(*own));
    kept->values = own;
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

/* old: what is kept under the key, or NULL. */
static void replace(struct run *run, const struct kept_value *old, const char *key, const char *value)
{
    struct kept *kept = &run->result.kept;
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
    size_t index = old ? (size_t)(old - kept->values) : kept->count;
    own_list(run);
    struct kept_value *at = &kept->values[index];
    if (old == NULL) {
        kept->count++;
        at->key = memcpy(run_memory(run, key_n + 1), key, key_n + 1);
    }
    at->value = text;
    run->kept_bytes += key_n + n - freed;
}

void kept_set(struct belfry_probe *p, const char *key, const char *value)
{
    struct run *run = run_of(p);
    if (is_key(key))
        replace(run, find(run, key), key, value);
    else
        run_misuse(run, "run() kept a value under a name of no or more than %d bytes", RESULT_NAME_MAX);
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

#define READING_SIZE 64 /* three times 20 digits, two blanks and the NUL */

struct reading {
    uint64_t counter, boot;
    int64_t at_ms;
};

/* Decimal digits and one blank or the end; false when there are none or too many. */
static bool take_number(const char **text, uint64_t *out)
{
    const char *at = *text;
    uint64_t number = 0;
    for (; *at >= '0' && *at <= '9'; at++) {
        if (__builtin_mul_overflow(number, 10u, &number) ||
            __builtin_add_overflow(number, (uint64_t)(*at - '0'), &number))
            return false;
    }
    if (at == *text || (*at != ' ' && *at != '\0'))
        return false;
    *out = number;
    *text = *at ? at + 1 : at;
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

/* Writes the number so that it ends before `end`: where it begins. */
static char *write_number(char *end, uint64_t number)
{
    do
        *--end = (char)('0' + number % 10);
    while ((number /= 10) != 0);
    return end;
}

/* As parse_reading() reads it; by hand, because a run has up to thirty of them. */
static const char *format_reading(char text[READING_SIZE], const struct reading *reading)
{
    char *at = text + READING_SIZE;
    *--at = '\0';
    at = write_number(at, reading->boot);
    *--at = ' ';
    at = write_number(at, (uint64_t)reading->at_ms);
    *--at = ' ';
    return write_number(at, reading->counter);
}

bool kept_rate(struct belfry_probe *p, const char *key, uint64_t counter, double *per_second)
{
    struct run *run = run_of(p);
    struct reading now = { counter, boot_hash(), clock_now_ms() }, last;
    const struct kept_value *old = is_key(key) ? find(run, key) : NULL;
    bool known = parse_reading(old ? old->value : NULL, &last);
    char text[READING_SIZE];
    if (is_key(key))
        replace(run, old, key, format_reading(text, &now));
    else
        kept_set(p, key, NULL); /* says what is wrong with the key */
    if (!known || last.boot != now.boot || last.at_ms >= now.at_ms || last.counter > now.counter || run->misuse)
        return false;
    *per_second = (double)(now.counter - last.counter) * 1000 / (double)(now.at_ms - last.at_ms);
    return true;
}
