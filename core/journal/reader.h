/* SPDX-License-Identifier: GPL-3.0-or-later */
/* reader - journal_query() on a folder that is open. Internal to the room. */
#ifndef JOURNAL_READER_H
#define JOURNAL_READER_H

#include "core/journal/journal.h"

/* 0, what visit returned, or a negative code. filter->follow is not for here. */
int reader_query(int folder, const struct journal_filter *filter, journal_visit visit, void *context);

#endif
