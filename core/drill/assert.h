/* SPDX-License-Identifier: GPL-3.0-or-later */
/* assert - what the files of assertions share: assert.c asks, compare.c compares with what production had, smoke.c has
 * the questions that are ready-made. */
#ifndef DRILL_ASSERT_H
#define DRILL_ASSERT_H

#include "core/drill/drill.h"

/* Fills the finding's text; returns good. */
bool assert_say(struct finding *out, bool good, const char *format, ...) __attribute__((__format__(__printf__, 3, 4)));

bool compare_counts(struct run *run, const struct drill_assertion *a, struct finding *out);
bool compare_checksums(struct run *run, const struct drill_assertion *a, struct finding *out);

#endif
