/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net - connecting, by way of belfry_wait(): name resolution, all addresses of both families, Unix sockets. */
#ifndef PLUGINS_COMMON_NET_H
#define PLUGINS_COMMON_NET_H

#include "belfry/plugin.h"

#define NET_ADDRESSES_MAX 8

struct net_target {
    const char *host, *port; /* host is a name or an address; port is decimal */
    const char *path;        /* a Unix socket: then host and port are not read */
    int family;              /* AF_UNSPEC, AF_INET or AF_INET6 */
    double until;            /* now_s() by which it must stand; 0: the run's deadline */
};

struct net_report {
    const char *peer; /* the address that answered, as text */
    double resolve_s, connect_s;
    const char *why; /* what failed, naming the phase: "connect to 127.0.0.1:81: connection refused" */
};

/* A connected, non-blocking, close-on-exec descriptor which the caller closes, or a negative code with report->why. */
int net_connect(struct belfry_probe *p, const struct net_target *target, struct net_report *report);
/* "any", "4" or "6", as an ip_version option says it. */
int net_family(const char *ip_version);
extern const char *const net_ip_versions[];

#endif
