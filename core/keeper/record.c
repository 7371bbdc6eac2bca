/* SPDX-License-Identifier: GPL-3.0-or-later */
/* record - metrics of judged results → belfry-recorder. A series is described once to each recorder process and again
 * when a metric joins it; then only values travel. A sample is kept here until the recorder says that it is in its
 * write-ahead file; a recorder that was started again gets those that its predecessor did not acknowledge. Beyond
 * KEPT_BYTES_MAX samples are counted and dropped: time series are a picture, the journal is the truth. */
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "core/base/file.h"
#include "core/base/log.h"
#include "core/base/text.h"
#include "core/keeper/child.h"
#include "core/keeper/keeper.h"
#include "core/model/series.h"

#define RECORDER_BACKOFF_MS 500
#define RECORDER_BACKOFF_MAX_MS 30000
/* To become ready: it may have to wait for its predecessor, and writes what that left. */
#define RECORDER_START_MS 90000
#define RECORDER_LASTING_MS 60000 /* who lived so long was of use: the next may start soon */
#define RECORDER_END_MS 5000
#define RECORDER_FILES_MAX 16384 /* it keeps the files open that it writes */
/* Series of one check: as many as one result may name, and once more for what comes and goes. */
#define RECORDED_MAX (2 * RESULT_PARTS_MAX)
/* Of samples that no recorder has acknowledged. */
#define KEPT_BYTES_MAX (32u << 20)

struct recorder {
    struct keeper *keeper;
    struct child child;
    bool running, closed;
    char sandbox[192]; /* in its own words */
    char *folder;
    uint32_t next_slot, generation;
    struct backoff backoff;
    int64_t keep_parts_ms; /* as it was told */
    char *rrdcached;
    bool replaced; /* it was told to end, because the configuration is another */
    uint64_t dropped;
    struct recorded **recorded; /* by slot of the recorder; NULL: forgotten */
    uint32_t recorded_size;
    struct buf kept; /* WIRE_SAMPLE frames, from kept_from on */
    size_t kept_from;
    uint64_t acknowledged; /* samples, of this process */
    uint64_t counts[RECORD_COUNTS];
};

static void send_kept(struct recorder *recorder);

/* ---- the process ----------------------------------------------------------------------------------------------- */

/* The first `count` kept samples need not be sent again. */
static bool drop_kept(struct recorder *recorder, uint64_t count)
{
    struct buf *kept = &recorder->kept;
    struct wire_frame frame;
    int size;
    for (; count > 0; count--, recorder->kept_from += (size_t)size) {
        size = wire_next(kept->data + recorder->kept_from, kept->length - recorder->kept_from, &frame);
        if (size <= 0)
            return false;
    }
    if (recorder->kept_from > kept->length / 2) {
        buf_consume(kept, recorder->kept_from);
        recorder->kept_from = 0;
    }
    return true;
}

static bool on_saved(struct recorder *recorder, struct wire_reader *r)
{
    uint64_t taken = wire_u64(r);
    for (unsigned i = 0; i < RECORD_COUNTS; i++)
        recorder->counts[i] = wire_u64(r);
    if (wire_done(r) != 0 || taken < recorder->acknowledged || !drop_kept(recorder, taken - recorder->acknowledged))
        return false;
    recorder->acknowledged = taken;
    return true;
}

/* A file was moved aside: that is for the journal, too. */
static bool on_moved(struct recorder *recorder, struct wire_reader *r)
{
    struct arena *arena = &recorder->keeper->scratch;
    arena_reset(arena);
    const char *path = wire_text(r, arena, 4096), *text = wire_text(r, arena, 4096);
    const struct event event = { .type = EVENT_SERIES_SET_ASIDE, .path = path, .text = text };
    if (wire_done(r) != 0 || !path || !text)
        return false;
    keeper_emit(recorder->keeper, &event);
    return true;
}

static bool on_report(struct recorder *recorder, struct wire_reader *r)
{
    struct arena *arena = &recorder->keeper->scratch;
    arena_reset(arena);
    uint8_t level = wire_u8(r);
    wire_u32(r); /* slot */
    const char *line = wire_text(r, arena, 4096);
    if (wire_done(r) != 0 || level > LOG_LEVEL_ERROR || !line)
        return false;
    log_line((enum log_level)level, "recorder", line);
    return true;
}

static bool on_ready(struct recorder *recorder, struct wire_reader *r)
{
    struct arena *arena = &recorder->keeper->scratch;
    arena_reset(arena);
    const char *sandbox = wire_text(r, arena, 4096);
    child_move(&recorder->child, LIFE_IS_READY);
    text_visible(recorder->sandbox, sizeof recorder->sandbox, sandbox ? sandbox : "", false);
    return wire_done(r) == 0;
}

static bool on_frame(struct child *child, struct wire_frame *frame)
{
    struct recorder *recorder = child->owner;
    if (frame->type == WIRE_RECORDER_READY)
        return on_ready(recorder, &frame->payload);
    if (frame->type == WIRE_RECORDER_EVENT)
        return on_report(recorder, &frame->payload);
    if (frame->type == WIRE_RECORDER_SAVED)
        return on_saved(recorder, &frame->payload);
    if (frame->type == WIRE_RECORDER_MOVED)
        return on_moved(recorder, &frame->payload);
    if (frame->type == WIRE_RECORDER_LEARNT)
        return baseline_told(recorder->keeper, recorder->recorded, recorder->next_slot, &frame->payload);
    return false;
}

static void on_child_exit(struct child *child)
{
    struct recorder *recorder = child->owner;
    char text[512], end[64];
    int64_t now_ms = clock_now_ms();
    recorder->running = false;
    if (recorder->replaced) {
        recorder->replaced = false;
        recorder->backoff.until_ms = 0;
        child_close(child);
        return;
    }
    if (now_ms - child->started_ms >= RECORDER_LASTING_MS)
        backoff_clear(&recorder->backoff);
    backoff_more(&recorder->backoff, now_ms);
    child_move(child, LIFE_PAUSE);
    if (!recorder->keeper->stopping) {
        child_obituary(child, &(struct obituary){ child_end_text(child, end, sizeof end), NULL, 0 }, text, sizeof text);
        log_error("recorder", "%s; next try in %.1f s", text, (double)recorder->backoff.pause_ms / 1000);
        const struct event event = { .type = EVENT_CHILD_DIED, .name = "recorder", .text = text };
        keeper_emit(recorder->keeper, &event);
    }
    child_close(child);
}

static void on_gone(struct child *child)
{
    struct recorder *recorder = child->owner;
    child->pid = 0;
    if (!recorder->closed)
        return;
    free(recorder->folder);
    free(recorder->rrdcached);
    free(recorder->recorded);
    buf_close(&recorder->kept);
    free(recorder);
}

static int start(struct recorder *recorder)
{
    struct child *child = &recorder->child;
    memset(child, 0, sizeof *child);
    snprintf(child->name, sizeof child->name, "recorder");
    child->owner = recorder;
    child->on_frame = on_frame;
    child->on_exit = on_child_exit;
    child->on_gone = on_gone;
    int made = file_make_folders(recorder->folder, 0700); /* here, since the disk may take it the next time */
    if (made) {
        log_error("recorder", "'%s' can't be made: %s", recorder->folder, error_text(made));
        return made;
    }
    char keep_parts[TEXT_DURATION_SIZE];
    const struct config *config = recorder->keeper->config;
    const char *argv[8] = { "belfry-recorder", "--rrd", recorder->folder, "--keep-parts",
                            text_format_duration(keep_parts, config->keep_parts_ms) };
    recorder->keep_parts_ms = config->keep_parts_ms;
    free(recorder->rrdcached);
    recorder->rrdcached = config->rrdcached ? heap_text(config->rrdcached) : NULL;
    if (recorder->rrdcached) {
        argv[5] = "--rrdcached";
        argv[6] = recorder->rrdcached;
    }
    const struct spawn_limit limits[] = { { RLIMIT_CORE, 0 }, { RLIMIT_NOFILE, RECORDER_FILES_MAX } };
    const struct child_spec spec = { .program = spawn_member("belfry-recorder"),
                                     .argv = argv,
                                     .limits = limits,
                                     .limit_count = 2,
                                     .extra_fd = -1,
                                     .outlives = true };
    int failed = child_start(child, &recorder->keeper->loop, &recorder->keeper->dirty, &spec);
    recorder->running = !failed;
    recorder->generation++;
    recorder->acknowledged = 0;
    if (failed)
        log_error("recorder", "can't be started: %s", error_text(failed));
    else
        send_kept(recorder);
    return failed;
}

int record_open(struct keeper *keeper)
{
    struct recorder *recorder = heap_alloc(sizeof *recorder);
    struct arena arena = { 0 };
    recorder->keeper = keeper;
    recorder->backoff = (struct backoff){ .first_ms = RECORDER_BACKOFF_MS, .most_ms = RECORDER_BACKOFF_MAX_MS };
    recorder->folder = heap_text(file_join(&arena, keeper->config->state_dir, "rrd"));
    arena_close(&arena);
    keeper->recorder = recorder;
    int failed = start(recorder);
    if (failed)
        backoff_more(&recorder->backoff, clock_now_ms());
    return failed;
}

/* Either may be NULL. */
static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

/* Whether it was started with what the configuration no longer says. */
static bool is_outdated(const struct recorder *recorder)
{
    const struct config *config = recorder->keeper->config;
    return recorder->keep_parts_ms != config->keep_parts_ms || !same_text(recorder->rrdcached, config->rrdcached);
}

const char *record_sandbox(const struct keeper *keeper)
{
    return keeper->recorder ? keeper->recorder->sandbox : "";
}

/* One that can't be killed keeps its files: no second one is started beside it, samples are dropped and counted. */
static void look_after(struct recorder *recorder, int64_t now_ms, int64_t stalled_ms)
{
    struct child *child = &recorder->child;
    child->started_ms += stalled_ms;
    child_forgive(child, stalled_ms);
    if (child->life == LIFE_START && now_ms - child->started_ms > RECORDER_START_MS)
        child_kill(child);
    if (child_watch(child, now_ms, false))
        recorder->running = false;
}

void record_housekeeping(struct keeper *keeper, int64_t now_ms, int64_t stalled_ms)
{
    struct recorder *recorder = keeper->recorder;
    if (recorder->child.pid != 0)
        look_after(recorder, now_ms, stalled_ms);
    if (recorder->running && !recorder->replaced && is_outdated(recorder)) {
        struct buf *out = &recorder->child.link.out;
        wire_end(out, wire_begin(out, WIRE_STOP));
        link_changed(&recorder->child.link);
        recorder->replaced = true;
    }
    if (recorder->running || recorder->child.pid != 0 || now_ms < recorder->backoff.until_ms)
        return;
    if (recorder->dropped) {
        char count[TEXT_COUNT_SIZE];
        log_warn("recorder", "it did not take %s for too long: dropped",
                 text_count(count, recorder->dropped, "sample"));
        recorder->dropped = 0;
    }
    if (start(recorder) != 0)
        backoff_more(&recorder->backoff, now_ms);
}

const char *record_state_name(const struct keeper *keeper)
{
    return keeper->recorder ? life_name(keeper->recorder->child.life) : "none";
}

bool record_is_recorder(const struct keeper *keeper, pid_t pid)
{
    return keeper->recorder && keeper->recorder->child.pid == pid;
}

/* At the end it shall write what it has: the end of its socket tells it to, and it is given some time. */
void record_close(struct keeper *keeper)
{
    struct recorder *recorder = keeper->recorder;
    if (!recorder)
        return;
    keeper->recorder = NULL;
    recorder->closed = true;
    if (recorder->running) {
        struct pollfd end = { .fd = recorder->child.exit_fd, .events = POLLIN };
        shutdown(recorder->child.link.fd, SHUT_WR);
        if (poll(&end, 1, RECORDER_END_MS) == 0)
            log_warn("recorder", "did not write its samples within %d s", RECORDER_END_MS / 1000);
        child_kill(&recorder->child);
        child_close(&recorder->child);
    } else if (recorder->child.pid == 0) {
        on_gone(&recorder->child);
    }
}

/* ---- series ---------------------------------------------------------------------------------------------------- */

static double bound(const char *text)
{
    double value;
    return text && text_number(text, &value) == 0 ? value : NAN;
}

static const char *earlier_name(const struct check_config *check, const char *name)
{
    for (uint32_t i = 0; i < check->renamed_count; i++)
        if (strcmp(check->renamed[i].to, name) == 0)
            return check->renamed[i].from;
    return NULL;
}

static void describe(struct recorder *recorder, const struct recorded *recorded, const struct check_config *check)
{
    struct arena arena = { 0 };
    const struct config *config = recorder->keeper->config;
    const struct plugin_info *plugin = catalog_find(recorder->keeper->catalog, check->plugin);
    uint32_t heartbeat_s = (uint32_t)((check->every_ms * 5ull + 1999) / 2000);
    struct series series = { .check = check->id,
                             .part = recorded->part,
                             .step_s = (check->every_ms + 999) / 1000,
                             .heartbeat_s = heartbeat_s > 2 ? heartbeat_s : 2,
                             .source_count = recorded->metric_count,
                             .archive_count = check->archives ? check->archive_count : config->archive_count,
                             .views = plugin ? plugin->views : NULL,
                             .view_count = plugin ? plugin->view_count : 0 };
    series.archives = arena_array(&arena, series.archive_count, sizeof *series.archives);
    for (uint32_t i = 0; i < series.archive_count; i++) {
        series.archives[i] = check->archives ? check->archives[i] : config->archives[i];
        if (series.archives[i].point_s == 0) /* "step" */
            series.archives[i].point_s = series.step_s;
    }
    series.sources = arena_array(&arena, recorded->metric_count, sizeof *series.sources);
    for (uint32_t i = 0; i < recorded->metric_count; i++) {
        const struct recorded_metric *metric = &recorded->metrics[i];
        series.sources[i] = (struct series_source){ .metric = metric->name,
                                                    .kind = metric->kind,
                                                    .min = metric->min,
                                                    .max = metric->max,
                                                    .unit = metric->unit,
                                                    .warn = metric->warn,
                                                    .crit = metric->crit,
                                                    .was = earlier_name(check, metric->name),
                                                    .baseline = metric->baseline };
    }
    struct buf *out = &recorder->child.link.out;
    size_t begin = wire_begin(out, WIRE_SERIES);
    wire_put_u32(out, recorded->slot);
    series_encode(out, &series);
    wire_end(out, begin);
    arena_close(&arena);
}

static uint32_t add_slot(struct recorder *recorder, struct recorded *recorded)
{
    if (recorder->next_slot == recorder->recorded_size) {
        recorder->recorded_size = recorder->recorded_size ? 2 * recorder->recorded_size : 64;
        recorder->recorded = heap_grow(recorder->recorded, recorder->recorded_size, sizeof *recorder->recorded);
    }
    recorder->recorded[recorder->next_slot] = recorded;
    return recorder->next_slot++;
}

/* after: the one that was found before, or NULL; parts keep their order. */
static struct recorded *find_series(struct recorder *recorder, struct watched *watched, const char *part,
                                    const struct recorded *after)
{
    if (after && after->next && same_text(after->next->part, part))
        return after->next;
    struct recorded **at = &watched->recorded;
    while (*at && !same_text((*at)->part, part))
        at = &(*at)->next;
    if (!*at) {
        *at = heap_alloc(sizeof **at);
        (*at)->part = part ? heap_text(part) : NULL;
        (*at)->watched = watched->slot;
        (*at)->slot = add_slot(recorder, *at);
        watched->recorded_count++;
    }
    return *at;
}

/* hint: where it was last time, since results keep their order. */
static uint32_t find_metric(struct recorded *recorded, const struct result_metric *metric, uint32_t hint)
{
    for (uint32_t i = 0; i < recorded->metric_count; i++) {
        uint32_t at = (hint + i) % recorded->metric_count;
        if (strcmp(recorded->metrics[at].name, metric->name) == 0)
            return at;
    }
    uint32_t at = recorded->metric_count;
    if (at == SERIES_SOURCES_MAX)
        return RECORD_NONE;
    recorded->metrics = heap_grow(recorded->metrics, at + 1, sizeof *recorded->metrics);
    recorded->metrics[at] = (struct recorded_metric){ .name = heap_text(metric->name) };
    recorded->metric_count++;
    recorded->generation = 0; /* to be described again */
    return at;
}

/* What a description says of the metric beside its name. */
static void take_description(struct recorded_metric *metric, const struct judged_metric *judged)
{
    metric->kind = judged->metric->kind;
    metric->min = bound(judged->metric->min);
    metric->max = bound(judged->metric->max);
    text_copy(metric->unit, sizeof metric->unit, judged->metric->unit ? judged->metric->unit : "");
    baseline_note(metric, judged);
}

/* Never 0; another one for each recorder process, each configuration and each catalog of plugins. */
static uint64_t current_generation(const struct recorder *recorder)
{
    const struct keeper *keeper = recorder->keeper;
    return (uint64_t)recorder->generation << 32 | (keeper->config_number + keeper->catalog_number);
}

/* Before the first sample, and whenever the description may be another. */
static void describe_once(struct recorder *recorder, struct recorded *recorded, const struct check_config *check)
{
    if (recorded->generation == current_generation(recorder))
        return;
    describe(recorder, recorded, check);
    recorded->generation = current_generation(recorder);
}

static void put_sample(struct buf *out, const struct recorded *recorded, int64_t wall_ms)
{
    size_t begin = wire_begin(out, WIRE_SAMPLE);
    wire_put_u32(out, recorded->slot);
    wire_put_u64(out, (uint64_t)wall_ms);
    wire_put_u16(out, (uint16_t)recorded->metric_count);
    for (uint32_t i = 0; i < recorded->metric_count; i++)
        wire_put_f64(out, recorded->metrics[i].value);
    wire_end(out, begin);
}

static void send_sample(struct recorder *recorder, struct recorded *recorded, const struct check_config *check,
                        int64_t wall_ms)
{
    struct buf *kept = &recorder->kept;
    size_t begin = kept->length;
    recorded->touched = false;
    if (begin - recorder->kept_from > KEPT_BYTES_MAX) {
        recorder->dropped++;
        return;
    }
    put_sample(kept, recorded, wall_ms);
    if (!recorder->running)
        return;
    describe_once(recorder, recorded, check);
    buf_add(&recorder->child.link.out, kept->data + begin, kept->length - begin);
}

/* A kept sample once more, with as many values as the series has by now. */
static void send_again(struct recorder *recorder, struct wire_reader *r)
{
    uint32_t slot = wire_u32(r);
    int64_t wall_ms = (int64_t)wire_u64(r);
    uint16_t count = wire_u16(r);
    struct recorded *recorded = slot < recorder->next_slot ? recorder->recorded[slot] : NULL;
    const struct check_view *view = recorded ? schedule_view(recorder->keeper->schedule, recorded->watched) : NULL;
    if (!view || !view->config)
        return;
    for (uint32_t i = 0; i < recorded->metric_count; i++)
        recorded->metrics[i].value = i < count ? wire_f64(r) : NAN;
    send_sample(recorder, recorded, view->config, wall_ms);
}

/* To a new process: what its predecessor did not acknowledge. */
static void send_kept(struct recorder *recorder)
{
    struct buf old = recorder->kept;
    struct wire_frame frame;
    int size;
    recorder->kept = (struct buf){ 0 };
    size_t at = recorder->kept_from;
    recorder->kept_from = 0;
    for (; (size = wire_next(old.data + at, old.length - at, &frame)) > 0; at += (size_t)size)
        send_again(recorder, &frame.payload);
    buf_close(&old);
    link_changed(&recorder->child.link);
}

static void touch(struct recorded *recorded)
{
    for (uint32_t i = 0; i < recorded->metric_count && !recorded->touched; i++)
        recorded->metrics[i].value = NAN;
    recorded->touched = true;
}

static void forget(struct recorder *recorder, struct recorded *recorded)
{
    if (recorder)
        recorder->recorded[recorded->slot] = NULL;
    if (recorder && recorder->running) {
        struct buf *out = &recorder->child.link.out;
        size_t begin = wire_begin(out, WIRE_SERIES_FORGET);
        wire_put_u32(out, recorded->slot);
        wire_end(out, begin);
        link_changed(&recorder->child.link);
    }
    for (uint32_t i = 0; i < recorded->metric_count; i++)
        free(recorded->metrics[i].name);
    free(recorded->metrics);
    free(recorded->part);
    free(recorded);
}

/* A plugin whose parts have a new name in each result must not fill our memory: those that this result does not have go
 * first. */
static void forget_old(struct recorder *recorder, struct watched *watched)
{
    struct recorded **at = &watched->recorded;
    while (*at && watched->recorded_count > RECORDED_MAX) {
        struct recorded *recorded = *at;
        if (recorded->touched) {
            at = &recorded->next;
            continue;
        }
        *at = recorded->next;
        watched->recorded_count--;
        baseline_forget(watched, recorded);
        forget(recorder, recorded);
    }
}

void record_result(struct keeper *keeper, struct watched *watched, const struct check_config *check,
                   const struct verdict *verdict, int64_t wall_ms)
{
    struct recorder *recorder = keeper->recorder;
    if (!recorder)
        return;
    struct recorded *series = NULL;
    uint32_t hint = 0;
    for (uint32_t i = 0; i < verdict->metric_count; i++) {
        const struct result_metric *metric = verdict->metrics[i].metric;
        if (!series || !same_text(series->part, metric->part)) {
            series = find_series(recorder, watched, metric->part, series);
            hint = 0;
        }
        touch(series);
        uint32_t at = find_metric(series, metric, hint);
        if (at == RECORD_NONE)
            continue;
        series->metrics[at].value = metric->value;
        hint = at + 1;
        if (series->generation != current_generation(recorder))
            take_description(&series->metrics[at], &verdict->metrics[i]);
    }
    forget_old(recorder, watched);
    for (series = watched->recorded; series; series = series->next)
        if (series->touched)
            send_sample(recorder, series, check, wall_ms);
    recorder->child.jobs++;
    if (recorder->running)
        link_changed(&recorder->child.link);
}

void record_forget(struct keeper *keeper, struct watched *watched)
{
    while (watched->recorded) {
        struct recorded *recorded = watched->recorded;
        watched->recorded = recorded->next;
        forget(keeper->recorder, recorded);
    }
    watched->recorded_count = 0;
}

json_t *record_view(const struct keeper *keeper)
{
    static const char *const names[RECORD_COUNTS] = { "samples", "rows", "updates",  "coalesced", "late",
                                                      "refused", "lost", "migrated", "aside" };
    const struct recorder *recorder = keeper->recorder;
    json_t *json = json_pack("{s:b, s:I}", "running", recorder && recorder->running, "dropped",
                             recorder ? (json_int_t)recorder->dropped : 0);
    for (unsigned i = 0; recorder && i < RECORD_COUNTS; i++)
        json_object_set_new(json, names[i], json_integer((json_int_t)recorder->counts[i]));
    return json;
}
