/* SPDX-License-Identifier: GPL-3.0-or-later */
/* help - what is made from the verbs' tables for people: --help of every level, and the manual page belfry(1). */
#ifndef CLI_HELP_H
#define CLI_HELP_H

#include "core/base/buf.h"
#include "core/cli/parse.h"
#include "core/cli/term.h"

/* --help of the innermost verb; the options of the levels above are listed apart. */
void help_print(struct buf *out, const struct term *term, const struct parsed *parsed);
/* belfry.1 in man(7) markup. */
void help_manual(struct buf *out, const struct verb *root);
/* "METRIC=RANGE -t SECONDS ..." : the arguments as they are written in a usage line. */
void help_usage(struct buf *out, const struct verb *verb);
/* Text for man(7): backslashes, leading dots and dashes made literal. */
void help_roff(struct buf *out, const char *text);

#endif
