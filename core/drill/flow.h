/* SPDX-License-Identifier: GPL-3.0-or-later */
/* flow - the backup through its tools: source → decrypt → unpack → what restores it. What leaves the source is counted
 * and hashed, what comes unpacked out of the tools is watched: its head tells what it is, its tail whether it is whole.
 */
#ifndef DRILL_FLOW_H
#define DRILL_FLOW_H

#include "core/drill/format.h"
#include "core/drill/tool.h"

#define FLOW_TAIL_BYTES 4096

struct flow {
    struct tool *sink; /* what restores; its `in` is set here. NULL: into file_fd, or nothing but the head */
    int file_fd;       /* 0: none */
    bool probe;        /* ends when the head is full */
    struct head *head; /* or NULL */
    bool raw;          /* without the tools */
    char tail[FLOW_TAIL_BYTES + 1];
    size_t tail_length;
    int64_t content_bytes;
};

/* 0, or -1 after run_fail(). */
int flow_run(struct run *run, struct flow *flow);

#endif
