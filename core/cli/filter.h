/* SPDX-License-Identifier: GPL-3.0-or-later */
/* filter - the options that choose records of the journal, the same for every verb that does. */
#ifndef CLI_FILTER_H
#define CLI_FILTER_H

#include "core/cli/verb.h"
#include "core/journal/journal.h"

/* Rows of a table of options; `type` has a struct journal_filter filter. */
#define FILTER_OPTIONS(type_)                                                                                          \
    { 0,                                                                                                               \
      "since",                                                                                                         \
      "TIME",                                                                                                          \
      "From this time on: an age (1h) or a time ('2026-11-21 10:00')",                                                 \
      .kind = OPTION_TIME,                                                                                             \
      .target = offsetof(type_, filter.since_ms) },                                                                    \
        { 0, "until", "TIME", "Up to this time", .kind = OPTION_TIME, .target = offsetof(type_, filter.until_ms) },    \
        { 0,                                                                                                           \
          "type",                                                                                                      \
          "TYPE",                                                                                                      \
          "Of this type (check.state), or of a family (breaker.)",                                                     \
          .kind = OPTION_TEXT,                                                                                         \
          .target = offsetof(type_, filter.type) },                                                                    \
        { 0,                                                                                                           \
          "service",                                                                                                   \
          "SUBJECT",                                                                                                   \
          "Of this service, check (SERVICE/CHECK), breaker or plugin",                                                 \
          .kind = OPTION_TEXT,                                                                                         \
          .target = offsetof(type_, filter.subject),                                                                   \
          .words = WORDS_SUBJECT },                                                                                    \
    {                                                                                                                  \
        0, "text", "TEXT", "With this text anywhere in the record", .kind = OPTION_TEXT,                               \
                                                                    .target = offsetof(type_, filter.text)             \
    }

#endif
