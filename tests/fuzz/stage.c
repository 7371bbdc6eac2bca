/* SPDX-License-Identifier: GPL-3.0-or-later */
/* stage - see stage.h. It is belfryd's own start, but for the catalog of plugins, which is made up. */
int belfryd_main(int argc, char **argv);
#define main belfryd_main
#include "core/keeper/keeper.c"
#undef main

#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/stage.h"
#include "tests/unit/config_fixture.h"

static const char configuration[] =
    "state_dir = \"%s/state\"; run_dir = \"%s/run\"; plugin_dirs = [ \"%s/plugins\" ];\n"
    "journal: { segment = \"1MiB\"; };\n"
    "defaults: { every = \"1h\"; timeout = \"10s\"; attempts = 2; };\n"
    "breakers: { cloud: { failures = 2; open = \"30s\"; }; };\n"
    "services: {\n"
    "  shop: { title = \"Shop\"; checks: {\n"
    "    web: { plugin = \"http\"; url = \"https://shop.example.net/\"; breaker = \"cloud\";\n"
    "           thresholds = { time_total = { warn = \"1\"; crit = \"3\"; }; }; };\n"
    "    port: { plugin = \"tcp\"; port = 443; };\n"
    "  }; };\n"
    "  db: { checks: { idle: { plugin = \"null\"; enabled = false; }; each: { plugin = \"null\"; each = { a = [ \"x\", "
    "\"y\" ]; }; }; }; };\n"
    "};\n";

static struct keeper keeper = { .lock_fd = -1, .control_lock_fd = -1, .plugins_fd = -1 };
static char config_file[600];

static void adopt_configuration(void)
{
    struct config_errors *errors = heap_alloc(sizeof *errors);
    struct config *config = NULL, *old = keeper.config;
    struct schedule_changes changes;
    struct buf lines = { 0 };
    keeper.catalog = fixture_catalog();
    config_load(keeper.config_file, keeper.catalog, &config, errors);
    config_errors_print(errors, &lines);
    if (!config)
        fputs(lines.data, stderr);
    fuzz_must(config != NULL, "the stage's configuration is good");
    keeper.config = config;
    schedule_configure(keeper.schedule, config, clock_instant(), &changes);
    dispatch_configure(&keeper);
    guard_configure(&keeper);
    config_close(&old);
    buf_close(&lines);
    config_errors_close(errors);
    free(errors);
}

static void strike(void)
{
    finish(&keeper);
    static const char *const folders[] = { "state/journal", "state/state", "state", "run" };
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        fuzz_empty(fuzz_path(folders[i]));
        rmdir(fuzz_path(folders[i]));
    }
}

struct keeper *stage_keeper(void)
{
    if (keeper.config_file)
        return &keeper;
    const struct schedule_ports ports = { .context = &keeper, .emit = emit, .start = dispatch_start };
    char text[4096];
    const char *folder = fuzz_folder();
    log_setup(LOG_LEVEL_ERROR);
    signal(SIGPIPE, SIG_IGN);
    snprintf(text, sizeof text, configuration, folder, folder, folder);
    snprintf(config_file, sizeof config_file, "%s", fuzz_path("belfry.conf"));
    fuzz_write(config_file, text, strlen(text));
    keeper.config_file = config_file;
    uv_loop_init(&keeper.loop);
    keeper.schedule = schedule_open(&ports, 1);
    fuzz_must(reload_paths(&keeper) == 0 && setup_state(&keeper) == 0 && open_loop(&keeper) == 0,
              "a keeper can be set up");
    adopt_configuration();
    record_open(&keeper); /* there is no recorder to start */
    fuzz_must(control_open(&keeper) == 0, "a keeper can listen");
    keeper.planned_ms = -1;
    atexit(strike);
    return &keeper;
}

void stage_turn(struct keeper *stage, unsigned turns)
{
    while (turns-- > 0)
        uv_run(&stage->loop, UV_RUN_NOWAIT);
}
