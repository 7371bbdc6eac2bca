/* SPDX-License-Identifier: GPL-3.0-or-later */
/* anchor_post - an anchor's line posted to a webhook. Called by belfry-anchor alone, which may wait. */
#ifndef KEEPER_ANCHOR_POST_H
#define KEEPER_ANCHOR_POST_H

#include <stdint.h>

#include "core/base/error.h"

/* Longer ones are no webhooks. */
#define ANCHOR_URL_MAX 4096u

/* Posts the line in one of anchor_post_formats[] (core/model/config.h), again and again for limit_ms at most. 0;
 * ERROR_REFUSED: the webhook does not exist any more, or not for us, and must not be used again; or another negative
 * code. *why never shows the URL, which is a secret. */
int anchor_post(const char *url, const char *format, const char *line, int64_t limit_ms, struct why *why);

#endif
