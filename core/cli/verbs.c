/* SPDX-License-Identifier: GPL-3.0-or-later */
/* verbs - the root of the tree of verbs: a new verb is one file and one row here. */
#include "core/cli/verb.h"

static const struct option options[] = {
    { 'c', "config", "FILE", "Configuration file (default: " SYSCONFDIR "/belfry/belfry.conf)", .kind = OPTION_TEXT,
      .target = offsetof(struct globals, config_file), .words = WORDS_FILE },
    { 0, "socket", "PATH", "Control socket of the daemon (default: as the configuration file says)",
      .kind = OPTION_TEXT, .target = offsetof(struct globals, socket), .words = WORDS_FILE },
    { 'o', "output", "FORMAT", "How to print: text or json", .kind = OPTION_FORMAT,
      .target = offsetof(struct globals, format), .fallback = "text", .words = WORDS_FORMAT },
    { 'h', "help", NULL, "Show this help", .kind = OPTION_FLAG, .target = offsetof(struct globals, help) },
    { 'V', "version", NULL, "Show the version", .kind = OPTION_FLAG, .target = offsetof(struct globals, version) },
    { 0, "man", NULL, "Print the manual page", .kind = OPTION_FLAG, .target = offsetof(struct globals, manual),
      .hidden = true },
    { 0 }
};

static const struct verb *const verbs[] = { &verb_status,  &verb_check,  &verb_run,     &verb_query,    &verb_plugins,
                                            &verb_config,  &verb_reload, &verb_journal, &verb_graph,    &verb_series,
                                            &verb_breaker, &verb_drill,  &verb_init,    &verb_complete, NULL };

const struct verb verb_root = {
    .name = "belfry",
    .summary = "watch services through crash-isolated plugins",
    .description =
        "belfry is the command line of the monitoring daemon belfryd. It talks to the daemon over its "
        "control socket; what a file can answer (check, plugins, config, journal, graph, series) needs no daemon.",
    .options = options,
    .args_size = sizeof(struct globals),
    .verbs = verbs,
};
