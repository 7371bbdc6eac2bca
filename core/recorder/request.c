/* SPDX-License-Identifier: GPL-3.0-or-later */
/* request - options are a table; sizes are one. */
#include "core/recorder/request.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "core/base/text.h"
#include "core/recorder/export.h"

#define PIXELS_MIN 120
#define PIXELS_MAX 4000
#define THUMB_HEIGHT_MIN 16
#define STEP_MAX_S (10 * 366 * 86400)
#define TIME_MAX_S 253402300799 /* the end of the year 9999 */

/* ---- sizes ------------------------------------------------------------------------------------------------------ */

static const struct request_size sizes[] = {
    { "normal", 760, 300, false, true },
    { "report", 1200, 420, false, true },
    { "thumb", 120, 32, true, false },
};

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

static bool set_size(struct request *request, const struct option *option, const char *value)
{
    (void)option;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
        if (strcmp(sizes[i].name, value) == 0)
            request->size = &sizes[i];
    return strcmp(request->size->name, value) == 0;
}

static bool set_percentile(struct request *request, const struct option *option, const char *value)
{
    (void)option;
    return text_number(value, &request->percentile) == 0 && request->percentile > 0 && request->percentile <= 100;
}

static bool add_wanted(struct request *request, const struct option *option, const char *value)
{
    (void)option;
    if (request->wanted_count == REQUEST_METRICS_MAX)
        return false;
    request->wanted[request->wanted_count++] = value;
    return true;
}

#define MEMBER(name_) offsetof(struct request, name_)
static const struct option options[] = {
    { "--rrd", set_text, MEMBER(folder), NULL, NULL },
    { "--check", set_text, MEMBER(check), NULL, NULL },
    { "--part", set_text, MEMBER(part), NULL, NULL },
    { "--draw", set_text, MEMBER(draw), NULL, NULL },
    { "--metric", add_wanted, 0, NULL, NULL },
    { "--since", set_integer, MEMBER(since_s), NULL, NULL },
    { "--until", set_integer, MEMBER(until_s), NULL, NULL },
    { "--compare", set_integer, MEMBER(compare_s), NULL, NULL },
    { "--percentile", set_percentile, 0, NULL, NULL },
    { "--baseline", set_word, MEMBER(baseline), "always", "judged" },
    { "--history", set_text, MEMBER(history_file), NULL, NULL },
    { "--size", set_size, 0, NULL, NULL },
    { "--width", set_integer, MEMBER(width), NULL, NULL },
    { "--height", set_integer, MEMBER(height), NULL, NULL },
    { "--theme", set_word, MEMBER(dark), "dark", "light" },
    { "--title", set_text, MEMBER(title), NULL, NULL },
    { "--format", set_word, MEMBER(svg), "svg", "png" },
    { "--out", set_text, MEMBER(out), NULL, NULL },
    { "--export", set_text, MEMBER(export), NULL, NULL },
    { "--step", set_integer, MEMBER(step_s), NULL, NULL },
};

static bool read_option(struct request *request, const char *name, const char *value)
{
    for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++)
        if (strcmp(options[i].name, name) == 0)
            return options[i].set(request, &options[i], value);
    return false;
}

/* Zero: not given. */
static bool are_pixels(int64_t n, int64_t least)
{
    return n == 0 || (n >= least && n <= PIXELS_MAX);
}

bool request_read(int argc, char **argv, struct request *request)
{
    int i = 1;
    *request = (struct request){ .size = &sizes[0] };
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
    if (request->export ? !export_function(request->export) : !request->out)
        return false;
    return request->step_s >= 0 && request->step_s <= STEP_MAX_S && !(request->draw && request->wanted_count > 0) &&
           request->since_s > 0 && request->since_s < request->until_s && request->until_s <= TIME_MAX_S &&
           are_pixels(request->width, PIXELS_MIN) &&
           are_pixels(request->height, request->size->thumb ? THUMB_HEIGHT_MIN : PIXELS_MIN) &&
           request->compare_s >= 0 && request->compare_s < request->since_s;
}

void request_usage(void)
{
    fprintf(stderr, "usage: belfry-graph --rrd FOLDER --check SERVICE/CHECK [--part NAME] [--draw NAME]\n"
                    "           [--metric NAME]... --since SECONDS --until SECONDS --out FILE\n"
                    "           [--format png|svg] [--size normal|report|thumb] [--width PIXELS] [--height PIXELS]\n"
                    "           [--theme light|dark] [--title TEXT] [--compare SECONDS] [--percentile P]\n"
                    "           [--baseline judged|always] [--history FILE]\n"
                    "       belfry-graph --rrd FOLDER --check SERVICE/CHECK [--part NAME] --list\n");
}
