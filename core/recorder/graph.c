/* SPDX-License-Identifier: GPL-3.0-or-later */
/* belfry-graph - draws one picture of recorded metrics, and ends; a crash in a drawing library costs this one picture.
 *
 *     belfry-graph --rrd FOLDER --check ID [--part NAME] [--metric NAME]... --since S --until S --out FILE
 *                  [--format png|svg] [--width PIXELS] [--height PIXELS] [--theme light|dark] [--title TEXT]
 *     belfry-graph --rrd FOLDER --check ID --list
 *
 * Times are seconds since 1970; FILE "-" is the standard output. Without --metric the first metric's unit decides: all
 * metrics of that unit are drawn together, and what is left out is said on stderr. --list prints what the check has
 * recorded: { "check": ID, "series": [ the legend of each file (doc/time-series.md) ] }.
 *
 * The exit status is 0, 1 (one line on stderr says why), or 2 for wrong usage. After 5 s it is killed. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "config.h"
#include "core/base/arena.h"
#include "core/base/buf.h"
#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/text.h"
#include "core/model/plugin.h"
#include "core/recorder/header.h"
#include "core/recorder/legend.h"
#include "core/recorder/name.h"
#include "core/recorder/picture.h"
#include "core/recorder/scale.h"

#define SECONDS_MAX 5
#define WANTED_MAX 64
#define PIXELS_MIN 120
#define PIXELS_MAX 4000
#define PARTS_MAX 4096
#define TIME_MAX_S 253402300799 /* the end of the year 9999 */

#ifdef BELFRY_SANITIZERS
/* What the drawing libraries keep until the end of the process, which is the end of one picture, is no leak of ours.
 * Only the slow unwinder sees through them, as they have no frame pointers. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "fast_unwind_on_malloc=0";
}

const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:librrd\nleak:libfontconfig\nleak:libpango\nleak:libcairo\nleak:libglib\n";
}
#endif

struct request {
    const char *folder, *check, *part, *title, *out;
    const char *wanted[WANTED_MAX];
    uint32_t wanted_count;
    int64_t since_s, until_s, width, height;
    bool dark, svg, list;
};

/* One line on stderr; returns the exit status. */
__attribute__((__format__(__printf__, 1, 2))) static int complain(const char *format, ...)
{
    char text[1024], visible[1200];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    fprintf(stderr, "belfry-graph: %s\n", text_visible(visible, sizeof(visible), text, false));
    return 1;
}

/* ---- options ---------------------------------------------------------------------------------------------------- */

struct option {
    const char *name;
    bool (*set)(struct request *request, const struct option *option, const char *value);
    size_t member;        /* its offset in struct request */
    const char *yes, *no; /* of set_word() */
};

static bool set_text(struct request *request, const struct option *option, const char *value)
{
    memcpy((char *)request + option->member, &value, sizeof(value));
    return *value != '\0';
}

static bool set_integer(struct request *request, const struct option *option, const char *value)
{
    int64_t number = 0;
    int code = text_integer(value, &number);
    memcpy((char *)request + option->member, &number, sizeof(number));
    return code == 0;
}

static bool set_word(struct request *request, const struct option *option, const char *value)
{
    bool is_yes = strcmp(value, option->yes) == 0;
    memcpy((char *)request + option->member, &is_yes, sizeof(is_yes));
    return is_yes || strcmp(value, option->no) == 0;
}

static bool add_wanted(struct request *request, const struct option *option, const char *value)
{
    (void)option;
    if (request->wanted_count == WANTED_MAX)
        return false;
    request->wanted[request->wanted_count++] = value;
    return true;
}

#define MEMBER(name_) offsetof(struct request, name_)
static const struct option options[] = {
    { "--rrd", set_text, MEMBER(folder), NULL, NULL },       { "--check", set_text, MEMBER(check), NULL, NULL },
    { "--part", set_text, MEMBER(part), NULL, NULL },        { "--metric", add_wanted, 0, NULL, NULL },
    { "--since", set_integer, MEMBER(since_s), NULL, NULL }, { "--until", set_integer, MEMBER(until_s), NULL, NULL },
    { "--width", set_integer, MEMBER(width), NULL, NULL },   { "--height", set_integer, MEMBER(height), NULL, NULL },
    { "--theme", set_word, MEMBER(dark), "dark", "light" },  { "--title", set_text, MEMBER(title), NULL, NULL },
    { "--format", set_word, MEMBER(svg), "svg", "png" },     { "--out", set_text, MEMBER(out), NULL, NULL },
};

static bool read_option(struct request *request, const char *name, const char *value)
{
    for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++)
        if (strcmp(options[i].name, name) == 0)
            return options[i].set(request, &options[i], value);
    return false;
}

static bool are_pixels(int64_t n)
{
    return n >= PIXELS_MIN && n <= PIXELS_MAX;
}

static bool read_options(int argc, char **argv, struct request *request)
{
    int i = 1;
    while (i < argc) {
        bool last = i + 1 == argc;
        if (strcmp(argv[i], "--list") == 0) {
            request->list = true;
            i++;
            continue;
        }
        if (last || !read_option(request, argv[i], argv[i + 1]))
            return false;
        i += 2;
    }
    if (!request->folder || !request->check || !text_is_check_id(request->check))
        return false;
    if (request->list)
        return true;
    return request->out && request->since_s > 0 && request->since_s < request->until_s &&
           request->until_s <= TIME_MAX_S && are_pixels(request->width) && are_pixels(request->height);
}

/* ---- list ------------------------------------------------------------------------------------------------------- */

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The RRD files of the check's parts, by name. */
static size_t find_parts(struct arena *arena, const struct request *request, char **out)
{
    const char *suffix = ".rrd" LEGEND_SUFFIX;
    const char *folder = arena_print(arena, "%s/%s", request->folder, request->check);
    DIR *dir = opendir(folder);
    size_t count = 0;
    for (struct dirent *entry; dir && count < PARTS_MAX && (entry = readdir(dir)) != NULL;) {
        size_t length = strlen(entry->d_name), tail = strlen(suffix);
        if (length <= tail || strcmp(entry->d_name + length - tail, suffix) != 0)
            continue;
        char *path = file_join(arena, folder, entry->d_name);
        path[strlen(path) - strlen(LEGEND_SUFFIX)] = '\0';
        out[count++] = path;
    }
    if (dir)
        closedir(dir);
    qsort(out, count, sizeof(*out), compare_texts);
    return count;
}

static int list(struct arena *arena, const struct request *request)
{
    char **paths = arena_array(arena, PARTS_MAX + 1, sizeof(*paths));
    paths[0] = name_file(arena, request->folder, request->check, NULL);
    size_t count = 1 + find_parts(arena, request, paths + 1);
    struct buf out = { 0 };
    bool any = false;
    buf_text(&out, "{ \"check\": ");
    buf_json_text(&out, request->check);
    buf_text(&out, ", \"series\": [");
    for (size_t i = 0; i < count; i++) {
        struct legend legend;
        struct why why;
        int code = legend_read(arena, paths[i], &legend, &why);
        if (code == -ENOENT)
            continue;
        if (code < 0) {
            complain("%s", why.text);
            continue;
        }
        buf_text(&out, any ? ",\n" : "\n");
        legend_print(&out, &legend);
        any = true;
    }
    buf_text(&out, "] }\n");
    fwrite(out.data, 1, out.length, stdout);
    buf_close(&out);
    return fflush(stdout) == 0 ? 0 : complain("can't write: %s", strerror(errno));
}

/* ---- what is drawn ---------------------------------------------------------------------------------------------- */

static const struct legend_metric *find_metric(const struct legend *legend, const char *name)
{
    for (uint32_t i = 0; i < legend->metric_count; i++)
        if (strcmp(legend->metrics[i].name, name) == 0)
            return &legend->metrics[i];
    return NULL;
}

static int refuse_metric(struct arena *arena, const struct legend *legend, const char *name)
{
    const char **names = arena_array(arena, legend->metric_count + 1, sizeof(*names));
    struct buf known = { .max_bytes = 600 };
    for (uint32_t i = 0; i < legend->metric_count; i++) {
        names[i] = legend->metrics[i].name;
        buf_print(&known, "%s%s", i ? ", " : "", names[i]);
    }
    const char *nearest = text_nearest(name, names);
    if (nearest)
        complain("no metric '%s' is recorded: did you mean '%s'?", name, nearest);
    else
        complain("no metric '%s' is recorded, only: %s", name, known.data ? known.data : "none");
    buf_close(&known);
    return 1;
}

/* Adds the metric to the picture when its unit is the picture's, and it is there, else to what is left out. */
static void add_metric(struct picture *picture, char unit[SCALE_UNIT_SIZE], const struct legend_metric *metric,
                       struct buf *left_out)
{
    char its[SCALE_UNIT_SIZE];
    plugin_recorded_unit(its, metric->unit, metric->kind);
    if (picture->metric_count == 0) {
        memcpy(unit, its, SCALE_UNIT_SIZE);
        picture->unit = unit;
    }
    if (picture->metric_count < PICTURE_METRICS_MAX && strcmp(unit, its) == 0)
        picture->metrics[picture->metric_count++] = metric;
    else
        buf_print(left_out, "%s'%s'", left_out->length ? ", " : "", metric->name);
}

static int choose(struct arena *arena, const struct request *request, const struct legend *legend,
                  struct picture *picture)
{
    struct buf left_out = { .max_bytes = 600 };
    char *unit = arena_alloc(arena, SCALE_UNIT_SIZE);
    int status = 0;
    for (uint32_t i = 0; status == 0 && i < request->wanted_count; i++) {
        const struct legend_metric *metric = find_metric(legend, request->wanted[i]);
        if (metric && header_find(picture->header, metric->source))
            add_metric(picture, unit, metric, &left_out);
        else
            status = refuse_metric(arena, legend, request->wanted[i]);
    }
    for (uint32_t i = 0; request->wanted_count == 0 && i < legend->metric_count; i++)
        if (legend->metrics[i].live && header_find(picture->header, legend->metrics[i].source))
            add_metric(picture, unit, &legend->metrics[i], &left_out);
    if (status == 0 && picture->metric_count == 0)
        status = complain("'%s' has no metric to draw", request->check);
    if (status == 0 && left_out.length > 0)
        complain("left out, having another unit or being too many for one picture: %s", left_out.data);
    buf_close(&left_out);
    return status;
}

/* The file holds nothing before this. */
static int64_t earliest(const struct header *header, int64_t until_s)
{
    uint64_t longest_s = 0;
    for (uint32_t i = 0; i < header->archive_count; i++) {
        uint64_t length_s = header->archives[i].rows * header->archives[i].steps * header->step_s;
        longest_s = length_s > longest_s ? length_s : longest_s;
    }
    int64_t last_s = header->last_s < until_s ? header->last_s : until_s;
    return (uint64_t)last_s > longest_s ? last_s - (int64_t)longest_s : 1;
}

static const char *make_title(struct arena *arena, const struct request *request, const struct picture *picture)
{
    if (request->title)
        return request->title;
    const char *metric = picture->metric_count == 1 ? picture->metrics[0]->name : NULL;
    return arena_print(arena, "%s%s%s%s%s", request->check, request->part ? "  " : "",
                       request->part ? request->part : "", metric ? "  " : "", metric ? metric : "");
}

/* Goes to the file's folder, so that no path is ever part of librrd's arguments. */
static int enter(struct arena *arena, char *path, const char **name)
{
    char *slash = strrchr(path, '/');
    *name = arena_text(arena, slash + 1);
    *slash = '\0';
    int code = chdir(*path ? path : "/") == 0 ? 0 : -errno;
    *slash = '/';
    return code;
}

static int write_out(const struct request *request, int start, const struct buf *image)
{
    int code = 0;
    if (strcmp(request->out, "-") == 0)
        code = fwrite(image->data, 1, image->length, stdout) == image->length && fflush(stdout) == 0 ? 0 : -errno;
    else if (fchdir(start) != 0)
        code = -errno;
    else
        code = file_replace(request->out, image->data, image->length, 0644);
    return code == 0 ? 0 : complain("can't write '%s': %s", request->out, error_text(code));
}

static int draw(struct arena *arena, const struct request *request)
{
    struct legend legend;
    struct header header;
    struct why why;
    struct picture picture = { .header = &header,
                               .since_s = request->since_s,
                               .until_s = request->until_s,
                               .width = (int)request->width,
                               .height = (int)request->height,
                               .dark = request->dark,
                               .svg = request->svg };
    char *path = name_file(arena, request->folder, request->check, request->part);
    int code = legend_read(arena, path, &legend, &why);
    if (code == -ENOENT)
        return complain("nothing is recorded of '%s'%s%s%s yet; 'belfry status %.*s' shows its %s", request->check,
                        request->part ? ", part '" : "", request->part ? request->part : "", request->part ? "'" : "",
                        (int)strcspn(request->check, "/"), request->check, request->part ? "parts" : "checks");
    if (code < 0)
        return complain("%s", why.text);
    if (header_read(arena, path, clock_wall_ms() / 1000, &header, &why) < 0)
        return complain("'%s': %s", path, why.text);
    int status = choose(arena, request, &legend, &picture);
    if (status != 0)
        return status;
    int64_t first_s = earliest(&header, picture.until_s);
    picture.since_s = first_s > picture.since_s ? first_s : picture.since_s;
    picture.title = make_title(arena, request, &picture);
    int start = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    code = enter(arena, path, &picture.file);
    struct buf image = { 0 };
    if (code < 0)
        status = complain("can't enter the folder of '%s': %s", path, error_text(code));
    else if (picture_draw(arena, &picture, &image, &why) < 0)
        status = complain("%s", why.text);
    else
        status = write_out(request, start, &image);
    buf_close(&image);
    close(start);
    return status;
}

int main(int argc, char **argv)
{
    struct request request = { .width = 760, .height = 300 };
    if (!read_options(argc, argv, &request)) {
        fprintf(stderr, "usage: belfry-graph --rrd FOLDER --check SERVICE/CHECK [--part NAME] [--metric NAME]...\n"
                        "           --since SECONDS --until SECONDS --out FILE [--format png|svg]\n"
                        "           [--width PIXELS] [--height PIXELS] [--theme light|dark] [--title TEXT]\n"
                        "       belfry-graph --rrd FOLDER --check SERVICE/CHECK --list\n");
        return 2;
    }
    setrlimit(RLIMIT_CPU, &(struct rlimit){ SECONDS_MAX, SECONDS_MAX + 1 });
    alarm(SECONDS_MAX);
    struct arena arena = { 0 };
    int status = request.list ? list(&arena, &request) : draw(&arena, &request);
    arena_close(&arena);
    return status;
}
