/* SPDX-License-Identifier: GPL-3.0-or-later */
/* http - what the files of the plugin share: making one transfer, and the judging of its answer. */
#ifndef PLUGINS_HTTP_H
#define PLUGINS_HTTP_H

#include "plugins/common/transfer.h"

/* request.c: asks for a URL as the options say; the caller ends the transfer by transfer_close(). Credentials, headers
 * and body are sent when trusted: the URL is of the configured origin. */
void http_perform(struct belfry_probe *p, struct transfer *t, const char *url, bool trusted);
/* The origin "scheme://host:port" of a URL in its canonical form, or NULL. */
const char *http_origin(struct belfry_probe *p, const char *url);

/* verdict.c */
/* True when one of the expect_status patterns names the status. */
bool http_status_expected(struct belfry_probe *p, long status);
/* Checks the patterns themselves: NULL or what is wrong. */
const char *http_status_problem(struct belfry_probe *p);
/* Says the verdict about an answer. */
void http_judge(struct belfry_probe *p, const struct transfer *t, int redirects);

#endif
