/* SPDX-License-Identifier: GPL-3.0-or-later */
/* page - which pictures are drawn of what is recorded of a check: a plugin's ready-made views, or metrics that share a
 * unit. Pure. */
#ifndef RECORDER_PAGE_H
#define RECORDER_PAGE_H

#include "core/recorder/picture.h"
#include "core/recorder/shelf.h"

#define PAGE_PICTURES_MAX 24

struct page {
    struct picture *pictures; /* title, unit, lines, limit and style; the rest is the caller's */
    uint32_t count;
    uint32_t left_out; /* pictures beyond PAGE_PICTURES_MAX */
};

/* All views that have something to draw; without any, all metrics: those of one unit together, of parts those of one
 * name. check: for titles. */
void page_of_all(struct arena *arena, const struct shelf *shelf, const char *check, struct page *out);
/* One view. */
void page_of_view(struct arena *arena, const struct shelf *shelf, const char *check, const struct plugin_view *view,
                  struct page *out);
/* One metric: of the check as a whole or, when only parts have it, of every part. Nothing when there is none. */
void page_of_metric(struct arena *arena, const struct shelf *shelf, const char *check, const char *metric,
                    struct page *out);
/* Some metrics of the shelf's first file, retired ones too; false with the name of one that it has not. */
bool page_of_metrics(struct arena *arena, const struct shelf *shelf, const char *check, const char *const *names,
                     uint32_t count, struct page *out, const char **unknown);

/* Whether the metric is a line of the view; the limit is not. */
bool page_view_has(const struct plugin_view *view, const char *metric);
const struct plugin_view *page_find_view(const struct shelf *shelf, const char *name);

#endif
