/* SPDX-License-Identifier: GPL-3.0-or-later */
/* drive - the smallest host a plugin can have, so that plugins are tested without the rest of Belfry.
 *
 *     drive [-t MILLISECONDS] [-k FILE] PLUGIN.so key=value map:name=value ...
 *
 * Runs the plugin once, in a thread with a stack of 256 KiB like a worker's coroutine and with the rights that a worker
 * would give it, and prints what it said:
 *
 *     state CRITICAL reached 0
 *     text connect to 127.0.0.1:1: connection refused
 *     metric NAME VALUE UNIT warn W crit C min A max B        metric PART/NAME ...
 *     part STATE NAME: text                event TYPE PART: text                detail LINE
 *     elapsed_ms 12
 *
 * -k keeps values (and the time, for rates) in a file between two runs. A key that the plugin did not declare, a metric
 * that it did not, or no verdict at all is a "misuse" line. Exit code 0, or 2 when the plugin could not be run.
 */
#include <dlfcn.h>
#include <errno.h>
#include <inttypes.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "belfry/plugin.h"
#include "core/sandbox/sandbox.h"

#define VALUES_MAX 64
#define KEPT_MAX 256
#define STACK_BYTES (256 * 1024)
#define RUN_BYTES_MAX (16 * 1024 * 1024)

struct chunk {
    struct chunk *next;
    max_align_t bytes[];
};

struct value {
    const char *name, *key, *text;
};

struct drive {
    struct belfry_probe probe; /* first: a probe is a drive */
    const struct belfry_plugin *plugin;
    struct value values[VALUES_MAX];
    size_t value_count;
    struct value kept[KEPT_MAX];
    size_t kept_count;
    int64_t begin_ms, deadline_ms, limit_ms;
    double kept_at, now;
    struct chunk *chunks;
    size_t bytes;
    char *verdict;
};

static int64_t clock_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static struct drive *drive_of(struct belfry_probe *p)
{
    return (struct drive *)p;
}

static void *alloc(struct belfry_probe *p, size_t size)
{
    struct drive *d = drive_of(p);
    struct chunk *chunk = calloc(1, sizeof *chunk + size);
    d->bytes += size;
    if (!chunk || d->bytes > RUN_BYTES_MAX) {
        printf("misuse more than 16 MiB of memory\n");
        exit(1);
    }
    chunk->next = d->chunks;
    d->chunks = chunk;
    return chunk->bytes;
}

static const char *print(struct belfry_probe *p, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, again);
    va_end(again);
    char *text = alloc(p, (size_t)length + 1);
    vsnprintf(text, (size_t)length + 1, format, args);
    return text;
}

/* ---- options ------------------------------------------------------------------------------------------------- */

static const struct belfry_option *find_option(struct drive *d, const char *name)
{
    for (const struct belfry_option *o = d->plugin->options; o && o->name; o++)
        if (strcmp(o->name, name) == 0)
            return o;
    printf("misuse option '%s' is not declared\n", name);
    return NULL;
}

static const struct value *find_value(struct drive *d, const char *name, size_t index)
{
    for (size_t i = 0; i < d->value_count; i++)
        if (strcmp(d->values[i].name, name) == 0 && index-- == 0)
            return &d->values[i];
    return NULL;
}

static size_t count(struct belfry_probe *p, const char *name)
{
    const struct belfry_option *o = find_option(drive_of(p), name);
    size_t n = 0;
    while (find_value(drive_of(p), name, n))
        n++;
    return n > 0 ? n : o && o->fallback;
}

static const char *item(struct belfry_probe *p, const char *name, size_t i)
{
    const struct belfry_option *o = find_option(drive_of(p), name);
    const struct value *value = find_value(drive_of(p), name, i);
    return value ? value->text : o && i == 0 && !find_value(drive_of(p), name, 0) ? o->fallback : NULL;
}

static const char *key(struct belfry_probe *p, const char *name, size_t i)
{
    const struct value *value = find_value(drive_of(p), name, i);
    return value ? value->key : NULL;
}

static const char *text(struct belfry_probe *p, const char *name)
{
    return item(p, name, 0);
}

static int64_t integer(struct belfry_probe *p, const char *name)
{
    const char *value = item(p, name, 0);
    char *end;
    int64_t n = value ? strtoll(value, &end, 10) : 0;
    return value && strcmp(end, "KiB") == 0 ? n * 1024 : value && strcmp(end, "MiB") == 0 ? n * 1048576 : n;
}

static double number(struct belfry_probe *p, const char *name)
{
    const char *value = item(p, name, 0);
    return value ? strtod(value, NULL) : 0;
}

static bool flag(struct belfry_probe *p, const char *name)
{
    const char *value = item(p, name, 0);
    return value && strcmp(value, "true") == 0;
}

/* ---- what was seen ------------------------------------------------------------------------------------------- */

static const char *const state_names[] = { "OK", "WARNING", "CRITICAL", "UNKNOWN" };

/* A line of output; line ends and control bytes of texts are shown as spaces. */
static void put_line(const char *head, const char *line)
{
    fputs(head, stdout);
    for (; *line; line++)
        putchar((unsigned char)*line < ' ' ? ' ' : *line);
    putchar('\n');
}

static void verdict(struct belfry_probe *p, int state, bool reached, const char *format, va_list args)
{
    struct drive *d = drive_of(p);
    const char *line = print(p, format, args);
    free(d->verdict);
    if (asprintf(&d->verdict, "state %s reached %d\ntext ", state_names[state], reached) < 0)
        abort();
    char *head = d->verdict;
    if (asprintf(&d->verdict, "%s%s", head, line) < 0)
        abort();
    free(head);
}

static void detail(struct belfry_probe *p, const char *format, va_list args)
{
    char *lines = (char *)(uintptr_t)print(p, format, args);
    for (char *line = strsep(&lines, "\n"); line; line = strsep(&lines, "\n"))
        put_line("detail ", line);
}

static void part(struct belfry_probe *p, const char *name, int state, const char *format, va_list args)
{
    printf("part %s %s", state_names[state], name);
    put_line(": ", print(p, format, args));
}

static void sample(struct belfry_probe *p, const struct belfry_sample *s)
{
    (void)p;
    printf("metric %s%s%s %.10g %s warn %s crit %s min %s max %s%s%s\n", s->part ? s->part : "", s->part ? "/" : "",
           s->name, s->value, s->unit && *s->unit ? s->unit : "-", s->warn ? s->warn : "-", s->crit ? s->crit : "-",
           s->min ? s->min : "-", s->max ? s->max : "-", s->kind == BELFRY_COUNTER ? " counter" : "",
           s->unjudged ? " unjudged" : "");
}

static void measure(struct belfry_probe *p, const char *of, const char *name, double value)
{
    for (const struct belfry_metric *m = drive_of(p)->plugin->metrics; m && m->name; m++)
        if (strcmp(m->name, name) == 0) {
            struct belfry_sample s = { sizeof s, m->kind, of,     name,   m->unit, value,
                                       m->warn,  m->crit, m->min, m->max, false };
            sample(p, &s);
            return;
        }
    printf("misuse metric '%s' is not declared\n", name);
}

static void event(struct belfry_probe *p, const char *type, const char *of, const char *format, va_list args)
{
    printf("event %s %s", type, of ? of : "-");
    put_line(": ", print(p, format, args));
}

/* ---- kept values --------------------------------------------------------------------------------------------- */

static const char *kept(struct belfry_probe *p, const char *name)
{
    struct drive *d = drive_of(p);
    for (size_t i = 0; i < d->kept_count; i++)
        if (strcmp(d->kept[i].name, name) == 0)
            return d->kept[i].text;
    return NULL;
}

static void keep(struct belfry_probe *p, const char *name, const char *value)
{
    struct drive *d = drive_of(p);
    size_t i = 0;
    while (i < d->kept_count && strcmp(d->kept[i].name, name) != 0)
        i++;
    if (!value && i < d->kept_count)
        d->kept[i] = d->kept[--d->kept_count];
    if (!value || i == KEPT_MAX)
        return;
    d->kept_count += i == d->kept_count;
    char *name_copy = alloc(p, strlen(name) + 1), *copy = alloc(p, strlen(value) + 1);
    d->kept[i] = (struct value){ strcpy(name_copy, name), NULL, strcpy(copy, value) };
}

static bool rate(struct belfry_probe *p, const char *name, uint64_t counter, double *per_second)
{
    struct drive *d = drive_of(p);
    char own[80], value[32];
    snprintf(own, sizeof own, "rate:%s", name);
    snprintf(value, sizeof value, "%" PRIu64, counter);
    const char *before = kept(p, own);
    uint64_t last = before ? strtoull(before, NULL, 10) : 0;
    bool good = before && counter >= last && d->now > d->kept_at;
    if (good)
        *per_second = (double)(counter - last) / (d->now - d->kept_at);
    keep(p, own, value);
    return good;
}

/* The file has the time in its first line, then name and value of each. */
static void load_kept(struct drive *d, const char *path)
{
    FILE *file = fopen(path, "r");
    char line[4200];
    if (!file)
        return;
    if (fgets(line, sizeof line, file))
        d->kept_at = strtod(line, NULL);
    while (fgets(line, sizeof line, file)) {
        char *value = strchr(line, '\t');
        line[strcspn(line, "\n")] = '\0';
        if (value) {
            *value = '\0';
            keep(&d->probe, line, value + 1);
        }
    }
    fclose(file);
}

static void store_kept(struct drive *d, const char *path)
{
    FILE *file = fopen(path, "w");
    if (!file)
        return;
    fprintf(file, "%.6f\n", d->now);
    for (size_t i = 0; i < d->kept_count; i++)
        fprintf(file, "%s\t%s\n", d->kept[i].name, d->kept[i].text);
    fclose(file);
}

/* ---- waiting ------------------------------------------------------------------------------------------------- */

static int64_t left_ms(struct belfry_probe *p)
{
    int64_t left = drive_of(p)->deadline_ms - clock_ms();
    return left > 0 ? left : 0;
}

static int wait_many(struct belfry_probe *p, struct pollfd *fds, size_t n, int64_t timeout_ms)
{
    int64_t left = left_ms(p), pause = timeout_ms >= 0 && timeout_ms < left ? timeout_ms : left;
    if (left == 0)
        return -ETIMEDOUT;
    int ready = poll(fds, n, (int)pause);
    if (ready < 0)
        return -errno;
    return ready == 0 && left_ms(p) == 0 ? -ETIMEDOUT : ready;
}

static int resolve(struct belfry_probe *p, const char *host, const char *port, int family, int socktype,
                   struct belfry_address *out, size_t max, const char **why)
{
    struct addrinfo hints = { .ai_family = family, .ai_socktype = socktype, .ai_flags = AI_NUMERICSERV }, *list;
    int error = getaddrinfo(host, port, &hints, &list), n = 0;
    if (error != 0) {
        *why = belfry_print(p, "can't resolve '%s': %s", host, gai_strerror(error));
        return -ENOENT;
    }
    for (struct addrinfo *a = list; a && (size_t)n < max; a = a->ai_next, n++) {
        out[n].family = a->ai_family;
        out[n].length = a->ai_addrlen;
        memcpy(&out[n].address, a->ai_addr, a->ai_addrlen);
    }
    freeaddrinfo(list);
    return n;
}

static const char *ago(struct belfry_probe *p, int64_t when)
{
    char *out = alloc(p, 32);
    snprintf(out, 32, "%lld s", (long long)(time(NULL) - when));
    return out;
}

static void log_line(struct belfry_probe *p, int level, const char *format, va_list args)
{
    (void)level;
    put_line("log ", print(p, format, args));
}

static const struct belfry_host host = {
    .size = sizeof host,
    .abi = BELFRY_ABI,
    .text = text,
    .integer = integer,
    .number = number,
    .flag = flag,
    .count = count,
    .item = item,
    .key = key,
    .verdict = verdict,
    .detail = detail,
    .part = part,
    .measure = measure,
    .sample = sample,
    .event = event,
    .kept = kept,
    .keep = keep,
    .rate = rate,
    .wait = wait_many,
    .left_ms = left_ms,
    .resolve = resolve,
    .alloc = alloc,
    .print = print,
    .ago = ago,
    .log = log_line,
};

/* ---- the run ------------------------------------------------------------------------------------------------- */

static void *run(void *user)
{
    struct drive *d = user;
    char standing[SANDBOX_TEXT_SIZE];
    /* of this thread alone: the other one keeps its rights, for what is kept */
    sandbox_enter(&(struct sandbox){ .role = SANDBOX_WORKER, .needs = d->plugin->needs }, standing);
    d->begin_ms = clock_ms();
    d->deadline_ms = d->begin_ms + d->limit_ms;
    d->plugin->run(&d->probe);
    return NULL;
}

static bool run_in_thread(struct drive *d)
{
    pthread_attr_t attributes;
    pthread_t thread;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    bool good = pthread_create(&thread, &attributes, run, d) == 0 && pthread_join(thread, NULL) == 0;
    pthread_attr_destroy(&attributes);
    return good;
}

/* "key=value" or "map:name=value". */
static bool add_value(struct drive *d, char *argument)
{
    char *equals = strchr(argument, '='), *colon = strchr(argument, ':');
    if (!equals || d->value_count == VALUES_MAX)
        return false;
    *equals = '\0';
    bool map = colon && colon < equals;
    if (map)
        *colon = '\0';
    d->values[d->value_count++] = (struct value){ argument, map ? colon + 1 : NULL, equals + 1 };
    return find_option(d, argument) != NULL;
}

static int usage(const char *why)
{
    fprintf(stderr, "drive: %s\nusage: drive [-t MS] [-k FILE] PLUGIN.so key=value ...\n", why);
    return 2;
}

int main(int argc, char **argv)
{
    static struct drive d;
    const char *file = NULL;
    int64_t limit_ms = 10000;
    int c;
    while ((c = getopt(argc, argv, "t:k:")) != -1) {
        if (c == 't')
            limit_ms = strtoll(optarg, NULL, 10);
        else if (c == 'k')
            file = optarg;
        else
            return usage("unknown option");
    }
    void *handle = optind < argc ? dlopen(argv[optind], RTLD_NOW | RTLD_LOCAL) : NULL;
    d.plugin = handle ? dlsym(handle, "belfry_plugin") : NULL;
    if (!d.plugin)
        return usage(handle || optind < argc ? dlerror() : "no plugin given");
    d.probe.host = &host;
    for (int i = optind + 1; i < argc; i++)
        if (!add_value(&d, argv[i]))
            return usage(argv[i]);
    struct timespec wall;
    clock_gettime(CLOCK_REALTIME, &wall);
    d.now = (double)wall.tv_sec + (double)wall.tv_nsec / 1e9;
    if (file)
        load_kept(&d, file);
    d.limit_ms = limit_ms;
    if (!run_in_thread(&d))
        return usage("no thread");
    printf("%s\nelapsed_ms %lld\n", d.verdict ? d.verdict : "misuse no verdict", (long long)(clock_ms() - d.begin_ms));
    if (file)
        store_kept(&d, file);
    while (d.chunks) {
        struct chunk *next = d.chunks->next;
        free(d.chunks);
        d.chunks = next;
    }
    free(d.verdict);
    return 0;
}
