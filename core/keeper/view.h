/* SPDX-License-Identifier: GPL-3.0-or-later */
/* view - the keeper's knowledge as JSON, in the shapes of doc/control.md. Reads only. New references are returned. */
#ifndef KEEPER_VIEW_H
#define KEEPER_VIEW_H

#include <jansson.h>

#include "core/keeper/keeper.h"

json_t *view_check(struct keeper *keeper, uint32_t slot);
/* subject: a service, a check, or NULL for all; NULL is returned when there is no such thing. */
json_t *view_services(struct keeper *keeper, const char *subject);
json_t *view_daemon(struct keeper *keeper);
json_t *view_plugins(struct keeper *keeper);
json_t *view_rejections(struct keeper *keeper);
/* name NULL: all. */
json_t *view_breakers(struct keeper *keeper, const char *name);
/* The Nagios lines of the last result of a check, under its standing; exit status of the state. */
enum belfry_state view_nagios(struct keeper *keeper, uint32_t slot, struct buf *out);

#endif
