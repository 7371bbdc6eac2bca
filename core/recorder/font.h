/* SPDX-License-Identifier: GPL-3.0-or-later */
/* font - which fonts pictures are written in: those that are installed. */
#ifndef RECORDER_FONT_H
#define RECORDER_FONT_H

#include "core/recorder/picture.h"

/* NULL, or what is wrong with the fonts of this machine; what can be drawn is drawn all the same. */
const char *font_choose(struct picture_fonts *out);

/* For pictures without a word: what draws would else read the configuration of all fonts, in a thread. NULL. */
const char *font_none(void);

#endif
