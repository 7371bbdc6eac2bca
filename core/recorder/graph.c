/* SPDX-License-Identifier: GPL-3.0-or-later */
/* belfry-graph - draws recorded metrics into one file, and ends; a crash in a drawing library costs this one file.
 *
 *     belfry-graph --rrd FOLDER --check ID [--part NAME] [--draw NAME | --metric NAME...] --since S --until S --out
 * FILE
 *                  [--format png|svg] [--size normal|report|thumb] [--width PIXELS] [--height PIXELS]
 *                  [--theme light|dark] [--title TEXT] [--compare SECONDS] [--percentile P]
 *                  [--baseline judged|always] [--history FILE]
 *     belfry-graph --rrd FOLDER --check ID [--part NAME] [--draw NAME | --metric NAME...] --since S --until S
 *                  --export average|min|max [--step SECONDS]
 *     belfry-graph --rrd FOLDER --check ID [--part NAME] --list
 *
 * Times are seconds since 1970; FILE "-" is the standard output. --draw is a view of the check's plugin or, when there
 * is no such view, a metric; --metric are metrics of the check (or the part) as a whole, those of one unit together.
 * Without either all views that have something to draw are drawn, one under the other; of a plugin without views all
 * metrics (page.h). --baseline judged (the default) draws what is usual when a threshold refers to it, always in every
 * picture of one line. Width and height are of each picture; without --height a long legend makes it higher. What is
 * left out, because a file is damaged or the page full, is said on stderr. --history is what happened meanwhile, as
 * core/model/history.h has it: nothing of the journal is read here. Of size thumb only the first picture is drawn.
 *
 * --export prints the numbers that would be drawn (export.h); with --metric all lines, of parts too, when only parts
 * have such a metric.
 *
 * --list prints what can be drawn: { "check": ID, "views": [ { "name", "title", "unit", "style", "limit", "parts",
 * "metrics": [...] } ], "series": [ the legend of each file without its views (doc/time-series.md) ] }.
 *
 * The exit status is 0, 1 (one line on stderr says why), or 2 for wrong usage. After 5 s it is killed. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
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
#include "core/base/map.h"
#include "core/base/text.h"
#include "core/recorder/cached.h"
#include "core/recorder/compose.h"
#include "core/recorder/export.h"
#include "core/recorder/font.h"
#include "core/recorder/page.h"
#include "core/recorder/request.h"
#include "core/sandbox/sandbox.h"

#ifdef BELFRY_SANITIZERS
#define SECONDS_MAX 30 /* each allocation is unwound slowly, see below */
#else
#define SECONDS_MAX 5
#endif
#define HISTORY_BYTES_MAX (16u << 20)
#define NAMES_MAX 256

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

/* ---- list ------------------------------------------------------------------------------------------------------- */

static void print_text(struct buf *out, const char *before, const char *text)
{
    buf_text(out, before);
    buf_json_text(out, text);
}

/* The names of the view's metrics, each once. */
static void print_metrics(struct buf *out, const struct shelf *shelf, const struct plugin_view *view)
{
    struct map seen = { 0 };
    for (uint32_t i = 0; i < shelf->count; i++) {
        const struct shelf_file *file = &shelf->files[i];
        for (uint32_t m = 0; m < file->legend.metric_count; m++) {
            const struct legend_metric *metric = &file->legend.metrics[m];
            if ((file->legend.part != NULL) != view->parts || !shelf_has(file, metric) ||
                !page_view_has(view, metric->name) || map_get(&seen, metric->name))
                continue;
            print_text(out, seen.count ? ", " : "", metric->name);
            map_put(&seen, metric->name, &seen);
        }
    }
    map_close(&seen);
}

/* NULL: several. */
static const char *common_unit(const struct page *page)
{
    for (uint32_t i = 1; i < page->count; i++)
        if (strcmp(page->pictures[i].unit, page->pictures[0].unit) != 0)
            return NULL;
    return page->pictures[0].unit;
}

static bool print_view(struct arena *arena, struct buf *out, const struct shelf *shelf, const struct request *request,
                       uint32_t i, bool any)
{
    const struct plugin_view *view = &shelf->views[i];
    struct page page;
    page_of_view(arena, shelf, request->check, view, &page);
    if (page.count == 0)
        return any;
    print_text(out, any ? ",\n    { \"name\": " : "\n    { \"name\": ", view->name);
    print_text(out, ", \"title\": ", view->title);
    print_text(out, ", \"unit\": ", common_unit(&page));
    print_text(out, ", \"style\": ", view->style == BELFRY_STACK ? "stack" : "lines");
    print_text(out, ", \"limit\": ", view->limit);
    buf_print(out, ", \"parts\": %s, \"metrics\": [", view->parts ? "true" : "false");
    print_metrics(out, shelf, view);
    buf_text(out, "] }");
    return true;
}

static int list(struct arena *arena, const struct request *request, struct shelf *shelf)
{
    struct buf out = { 0 };
    bool any = false;
    print_text(&out, "{ \"check\": ", request->check);
    buf_text(&out, ", \"views\": [");
    for (uint32_t i = 0; i < shelf->view_count; i++)
        any = print_view(arena, &out, shelf, request, i, any);
    buf_text(&out, "], \"series\": [");
    any = false;
    for (uint32_t i = 0; i < shelf->count; i++) {
        struct legend *legend = &shelf->files[i].legend;
        if (!legend->check)
            continue;
        legend->view_count = 0;
        buf_text(&out, any ? ",\n" : "\n");
        legend_print(&out, legend);
        any = true;
    }
    buf_text(&out, "] }\n");
    fwrite(out.data, 1, out.length, stdout);
    buf_close(&out);
    return fflush(stdout) == 0 ? 0 : complain("can't write: %s", strerror(errno));
}

/* ---- what is drawn ---------------------------------------------------------------------------------------------- */

struct names {
    const char **items; /* NULL-terminated, for text_nearest() */
    struct buf text;
    size_t count;
};

static void add_name(struct names *names, const char *name)
{
    for (size_t i = 0; i < names->count; i++)
        if (strcmp(names->items[i], name) == 0)
            return;
    if (names->count == NAMES_MAX)
        return;
    buf_print(&names->text, "%s%s", names->count ? ", " : "", name);
    names->items[names->count++] = name;
}

/* Says that there is no such view or metric, and what there is in the first `files` of them. */
static int refuse(struct arena *arena, const struct shelf *shelf, const char *name, bool views, uint32_t files)
{
    struct names names = { .items = arena_array(arena, NAMES_MAX + 1, sizeof(*names.items)),
                           .text = { .max_bytes = 600 } };
    for (uint32_t i = 0; views && i < shelf->view_count; i++)
        add_name(&names, shelf->views[i].name);
    for (uint32_t i = 0; i < files; i++)
        for (uint32_t m = 0; m < shelf->files[i].legend.metric_count; m++)
            add_name(&names, shelf->files[i].legend.metrics[m].name);
    const char *nearest = text_nearest(name, names.items);
    const char *what = views ? "no view or metric" : "no metric";
    if (nearest)
        complain("%s '%s' is recorded: did you mean '%s'?", what, name, nearest);
    else
        complain("%s '%s' is recorded, only: %s", what, name, names.text.data ? names.text.data : "none");
    buf_close(&names.text);
    return 1;
}

static int choose(struct arena *arena, const struct request *request, const struct shelf *shelf, struct page *page)
{
    const struct plugin_view *view = request->draw ? page_find_view(shelf, request->draw) : NULL;
    const char *unknown = request->draw;
    if (request->wanted_count > 0 &&
        !page_of_metrics(arena, shelf, request->check, request->wanted, request->wanted_count, page, &unknown))
        return refuse(arena, shelf, unknown, false, 1);
    if (view)
        page_of_view(arena, shelf, request->check, view, page);
    else if (request->draw)
        page_of_metric(arena, shelf, request->check, request->draw, page);
    else if (request->wanted_count == 0)
        page_of_all(arena, shelf, request->check, page);
    if (page->count > 0)
        return 0;
    if (view)
        return complain("nothing of the view '%s' is recorded of '%s'", view->name, request->check);
    return request->draw ? refuse(arena, shelf, request->draw, true, shelf->count)
                         : complain("'%s' has no metric to draw", request->check);
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

/* All pictures of a page are of the same time. */
static int64_t find_since(const struct request *request, const struct shelf *shelf)
{
    int64_t first_s = request->until_s - 1;
    for (uint32_t i = 0; i < shelf->count; i++) {
        int64_t of_file_s = shelf->files[i].trouble ? first_s : earliest(&shelf->files[i].header, request->until_s);
        first_s = of_file_s < first_s ? of_file_s : first_s;
    }
    return first_s > request->since_s ? first_s : request->since_s;
}

/* What can't be drawn: all of it is an error, some of it a remark. */
static int check_files(const struct request *request, const struct shelf *shelf)
{
    const char *trouble = NULL;
    uint32_t good = 0;
    for (uint32_t i = 0; i < shelf->count; i++) {
        const struct shelf_file *file = &shelf->files[i];
        good += file->trouble == NULL;
        trouble = file->trouble && (!trouble || good == 0) ? file->trouble : trouble;
    }
    if (shelf->count == 0)
        return complain("nothing is recorded of '%s'%s%s%s yet; 'belfry status %.*s' shows its %s", request->check,
                        request->part ? ", part '" : "", request->part ? request->part : "", request->part ? "'" : "",
                        (int)strcspn(request->check, "/"), request->check, request->part ? "parts" : "checks");
    if (trouble)
        complain("%s%s", good ? "left out: " : "", trouble);
    return good ? 0 : 1;
}

/* ---- drawing ---------------------------------------------------------------------------------------------------- */

static int write_out(const struct request *request, int start, const struct buf *image)
{
    int code = 0;
    if (strcmp(request->out, "-") == 0)
        code = fwrite(image->data, 1, image->length, stdout) == image->length && fflush(stdout) == 0 ? 0 : -errno;
    else if (fchdir(start) != 0)
        code = -errno;
    else
        code = file_swap(request->out, image->data, image->length, 0644);
    return code == 0 ? 0 : complain("can't write '%s': %s", request->out, error_text(code));
}

static int find_width(const struct request *request)
{
    return request->width ? (int)request->width : request->size->width;
}

static int draw_pictures(struct arena *arena, const struct request *request, struct page *page, int64_t since_s,
                         struct compose_image *images)
{
    struct why why = { "" };
    int code = 0;
    for (uint32_t i = 0; code == 0 && i < page->count; i++) {
        struct picture *picture = &page->pictures[i];
        picture->since_s = since_s;
        picture->until_s = request->until_s;
        picture->compare_s = request->compare_s;
        picture->percentile = request->percentile;
        picture->baseline = request->baseline;
        picture->history = request->has_history ? &request->history : NULL;
        picture->fonts = request->fonts;
        picture->width = find_width(request);
        picture->height = request->height ? (int)request->height : request->size->height;
        picture->grows = request->height == 0 && request->size->grows;
        picture->thumb = request->size->thumb;
        picture->dark = request->dark;
        picture->svg = request->svg;
        picture->title = request->title ? request->title : picture->title;
        code = picture_draw(arena, picture, &images[i].bytes, &images[i].height, &why);
    }
    return code == 0 ? 0 : complain("%s", why.text);
}

static int draw_page(struct arena *arena, const struct request *request, struct page *page, int64_t since_s, int start)
{
    struct compose_image *images = arena_array(arena, page->count, sizeof(*images));
    const struct compose whole = { .images = images,
                                   .count = page->count,
                                   .width = find_width(request),
                                   .title = request->title ? request->title : request->check,
                                   .dark = request->dark,
                                   .svg = request->svg };
    struct buf out = { 0 };
    struct why why = { "" };
    int status = draw_pictures(arena, request, page, since_s, images);
    if (status == 0 && compose_page(&whole, &out, &why) != 0)
        status = complain("%s", why.text);
    if (status == 0)
        status = write_out(request, start, &out);
    buf_close(&out);
    for (uint32_t i = 0; i < page->count; i++)
        buf_close(&images[i].bytes);
    return status;
}

/* What happened meanwhile (core/model/history.h): read before the sandbox, as it may lie anywhere. */
static int read_history(struct arena *arena, struct request *request)
{
    const char *path = request->history_file;
    struct why why = { "" };
    char *text;
    size_t length;
    if (!path)
        return 0;
    int code = file_read(arena, path, HISTORY_BYTES_MAX, &text, &length);
    if (code < 0)
        return complain("can't read '%s': %s", path, error_text(code));
    if (history_parse(arena, text, length, &request->history, &why) < 0)
        return complain("'%s': %s", path, why.text);
    request->has_history = true;
    return 0;
}

/* That a file was found damaged is in its legend, and that is a gap to explain. */
static void mark_moved(struct arena *arena, struct request *request, const struct shelf *shelf)
{
    struct history_fold fold = { .arena = arena, .out = &request->history };
    for (uint32_t i = 0; i < shelf->count; i++) {
        const struct legend *legend = &shelf->files[i].legend;
        if (legend->moved_s == 0)
            continue;
        const char *text = arena_print(arena, "%s: a damaged file was moved aside, and a new one begun",
                                       legend->part ? legend->part : request->check);
        history_mark(&fold, &(struct history_mark){ legend->moved_s, HISTORY_BAD, "file moved aside", text });
        request->has_history = true;
    }
}

static int draw(struct arena *arena, struct request *request, const struct shelf *shelf)
{
    struct page page = { 0 };
    int status = check_files(request, shelf);
    mark_moved(arena, request, shelf);
    const char *trouble = request->size->thumb ? font_none() : font_choose(&request->fonts);
    if (trouble)
        complain("%s", trouble);
    if (status == 0)
        status = choose(arena, request, shelf, &page);
    if (status != 0)
        return status;
    if (request->size->thumb)
        page.count = 1;
    else if (page.left_out > 0)
        complain("left out, being too many for one page: %u pictures; draw them by name", page.left_out);
    int start = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC); /* to go back: no right to read it is needed */
    if (chdir(shelf->folder) != 0) /* so that no path of ours is ever part of librrd's arguments */
        status = complain("can't enter '%s': %s", shelf->folder, strerror(errno));
    else
        status = draw_page(arena, request, &page, find_since(request, shelf), start);
    close(start);
    return status;
}

/* ---- numbers ---------------------------------------------------------------------------------------------------- */

/* Each metric for itself, in the order asked for. */
static int choose_metrics(struct arena *arena, const struct request *request, const struct shelf *shelf,
                          struct page *out)
{
    struct page one;
    uint32_t most = request->wanted_count * PAGE_PICTURES_MAX;
    *out = (struct page){ .pictures = arena_array(arena, most, sizeof(*out->pictures)) };
    for (uint32_t i = 0; i < request->wanted_count; i++) {
        page_of_metric(arena, shelf, request->check, request->wanted[i], &one);
        if (one.count == 0)
            return refuse(arena, shelf, request->wanted[i], false, shelf->count);
        memcpy(out->pictures + out->count, one.pictures, one.count * sizeof(*one.pictures));
        out->count += one.count;
    }
    return 0;
}

static int export_numbers(struct arena *arena, const struct request *request, const struct shelf *shelf)
{
    const int64_t now_s = clock_wall_ms() / 1000;
    const struct export export = { .check = request->check,
                                   .function = request->export,
                                   .since_s = find_since(request, shelf),
                                   .until_s = request->until_s < now_s ? request->until_s : now_s,
                                   .step_s = (uint64_t)request->step_s,
                                   .all_lines = request->wanted_count > 0 };
    struct buf out = { 0 };
    struct page page = { 0 };
    struct why why = { "" };
    int status = check_files(request, shelf);
    if (status == 0)
        status = export.all_lines ? choose_metrics(arena, request, shelf, &page) : choose(arena, request, shelf, &page);
    if (status == 0 && chdir(shelf->folder) != 0)
        status = complain("can't enter '%s': %s", shelf->folder, strerror(errno));
    if (status == 0 && export_page(arena, &export, shelf, &page, &out, &why) < 0)
        status = complain("%s", why.text);
    if (status == 0 && (fwrite(out.data, 1, out.length, stdout) != out.length || fflush(stdout) != 0))
        status = complain("can't write: %s", strerror(errno));
    buf_close(&out);
    return status;
}

/* It reads the recorded and fonts, and writes into the folder of its output. That it can't be sandboxed is no reason
 * not to draw. */
static void enter_sandbox(struct arena *arena, const struct request *request)
{
    char standing[SANDBOX_TEXT_SIZE];
    const char *slash = request->out ? strrchr(request->out, '/') : NULL, *folder = NULL;
    if (request->out && strcmp(request->out, "-") != 0)
        folder =
            slash ? arena_text_n(arena, request->out, slash > request->out ? (size_t)(slash - request->out) : 1) : ".";
    sandbox_enter(&(struct sandbox){ .role = SANDBOX_GRAPH,
                                     .read = request->folder,
                                     .write = folder,
                                     .local = cached_is_noted(arena, request->folder) },
                  standing);
}

int main(int argc, char **argv)
{
    struct request request;
    if (!request_read(argc, argv, &request)) {
        request_usage();
        return 2;
    }
    setrlimit(RLIMIT_CPU, &(struct rlimit){ SECONDS_MAX, SECONDS_MAX + 1 });
    alarm(SECONDS_MAX);
    struct arena arena = { 0 };
    struct shelf shelf = { 0 };
    int status = read_history(&arena, &request);
    enter_sandbox(&arena, &request);
    if (status != 0) {
        arena_close(&arena);
        return status;
    }
    status = 2;
    if (shelf_open(&arena, request.folder, request.check, request.part, clock_wall_ms() / 1000, &shelf) == 0)
        status = request.list     ? list(&arena, &request, &shelf)
                 : request.export ? export_numbers(&arena, &request, &shelf)
                                  : draw(&arena, &request, &shelf);
    arena_close(&arena);
    return status;
}
