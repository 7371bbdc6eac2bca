/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_model - states and the lookups of the configuration. */
#include "core/model/config.h"
#include "core/model/state.h"
#include "tests/tap.h"

static void test_states(void)
{
    static const enum belfry_state order[] = { BELFRY_OK, BELFRY_WARNING, BELFRY_UNKNOWN, BELFRY_CRITICAL };
    static const char *const names[] = { "OK", "WARNING", "UNKNOWN", "CRITICAL" };
    for (int i = 0; i < 4; i++) {
        enum belfry_state read = BELFRY_OK;
        tap_is_text(state_name(order[i]), names[i], "its name");
        tap_ok(state_from_name(names[i], &read) && read == order[i], "%s reads back", names[i]);
        tap_is_int(state_rank(order[i]), i, "its rank");
        for (int j = 0; j < 4; j++)
            tap_is_int(state_worse(order[i], order[j]), order[i > j ? i : j], "the worse of two");
    }
    enum belfry_state read = BELFRY_WARNING;
    tap_ok(!state_from_name("ok", &read) && !state_from_name("", &read) && read == BELFRY_WARNING, "no such names");
    tap_is_text(state_name((enum belfry_state)77), "UNKNOWN", "no such state");
    tap_is_int(state_rank((enum belfry_state) - 1), 2, "no such state is as bad as UNKNOWN");
}

/* Two services whose names begin alike, with checks, in one arena that holds the configuration itself. */
static struct config *make_config(void)
{
    struct arena arena = { 0 };
    struct config *config = arena_alloc(&arena, sizeof *config);
    config->services = arena_array(&arena, 2, sizeof *config->services);
    config->services[0] = (struct service_config){ .name = "web", .first_check = 0, .check_count = 1 };
    config->services[1] = (struct service_config){ .name = "web2", .first_check = 1, .check_count = 2 };
    config->service_count = 2;
    config->checks = arena_array(&arena, 3, sizeof *config->checks);
    config->checks[0].id = "web/http";
    config->checks[1].id = "web2/http";
    config->checks[2].id = "web2/tls@a";
    config->check_count = 3;
    config->plugins = arena_array(&arena, 2, sizeof *config->plugins);
    config->plugins[0] = (struct plugin_config){ .name = "http", .workers = 3 };
    config->plugins[1] = (struct plugin_config){ .name = "redis", .workers = 2, .concurrency = 7 };
    config->plugin_count = 2;
    config->arena = arena;
    return config;
}

static void test_config(void)
{
    struct config *config = make_config();
    tap_ok(config_check_find(config, "web/http") == &config->checks[0], "a check");
    tap_ok(config_check_find(config, "web2/http") == &config->checks[1], "a check of the other");
    tap_ok(config_check_find(config, "web2/tls@a") == &config->checks[2], "an instance");
    tap_ok(!config_check_find(config, "web2/tls") && !config_check_find(config, "web2") &&
               !config_check_find(config, "web/tls@a") && !config_check_find(config, "/") &&
               !config_check_find(config, ""),
           "no such checks");
    config_close(&config);
    tap_ok(config == NULL, "closed");
    config_close(&config);
    config_close(NULL);
}

static void test_plugin_settings(void)
{
    struct config *config = make_config();
    struct plugin_info info = { .name = "http" };
    struct plugin_config plugin = config_plugin(config, &info);
    tap_ok(plugin.workers == 3 && plugin.concurrency == PLUGIN_CONCURRENCY_DEFAULT, "one setting and one default");
    info = (struct plugin_info){ .name = "redis", .blocking = true };
    plugin = config_plugin(config, &info);
    tap_ok(plugin.workers == 2 && plugin.concurrency == 7, "both set");
    info = (struct plugin_info){ .name = "tcp", .blocking = true };
    plugin = config_plugin(config, &info);
    tap_is_text(plugin.name, "tcp", "not set: its name");
    tap_ok(plugin.workers == PLUGIN_WORKERS_DEFAULT && plugin.concurrency == PLUGIN_CONCURRENCY_BLOCKING_DEFAULT,
           "not set: the defaults of a blocking one");
    config_close(&config);
}

int main(void)
{
    test_states();
    test_config();
    test_plugin_settings();
    return tap_done();
}
