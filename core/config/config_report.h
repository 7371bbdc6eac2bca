/* SPDX-License-Identifier: GPL-3.0-or-later */
/* config_report - the errors of one configuration while it is read: each mistake once, however many checks inherit it.
 * Only core/config includes this header. */
#ifndef CONFIG_CONFIG_REPORT_H
#define CONFIG_CONFIG_REPORT_H

#include "core/base/map.h"
#include "core/config/config.h"

struct report {
    struct config_errors *errors;
    struct map said;         /* "file:line: text" */
    struct map broken_lines; /* "file:line" where the text itself is wrong: what follows from it is not reported */
    struct arena arena;      /* of the maps' keys */
};

void report_close(struct report *report);
/* A mistake in what a setting says. */
void report_error(struct report *report, struct place place, const char *format, ...)
    __attribute__((__format__(__printf__, 3, 4)));
/* A mistake in the text itself (number, quotes, brackets): the line's other mistakes are consequences. */
void report_broken(struct report *report, struct place place, const char *format, ...)
    __attribute__((__format__(__printf__, 3, 4)));
/* Sorts what is stored by file and line. */
void report_sort(struct report *report);

#endif
