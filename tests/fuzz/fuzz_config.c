/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fuzz_config - the whole loader of configurations, without includes: whatever stands in a file, reading it ends with a
 * model or with errors, never both; a model can be shown, and what is shown reads back to what shows the same. */
#include <string.h>

#include "core/config/config.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/config_fixture.h"

static struct catalog *catalog;

static void close_catalog(void)
{
    catalog_close(&catalog);
}

/* Includes would read files of this machine; so would another conf_dir. */
static bool leaves_the_file(const char *text)
{
    return strstr(text, "include") || strstr(text, "conf_dir");
}

static struct config *load(uint32_t *error_count)
{
    struct config_errors *errors = heap_alloc(sizeof *errors);
    struct config *config = NULL;
    struct buf lines = { 0 };
    int code = config_load(fuzz_path("belfry.conf"), catalog, &config, errors);
    fuzz_must((code == 0) == (config != NULL) && (code == 0) == (errors->count == 0), "there is a model or errors");
    config_errors_print(errors, &lines);
    *error_count = errors->count;
    buf_close(&lines);
    config_errors_close(errors);
    free(errors);
    return config;
}

static void show_again(const struct config *config)
{
    struct buf shown = { 0 }, second = { 0 }, json = { 0 };
    uint32_t errors;
    config_show(config, catalog, &shown);
    config_show_json(config, catalog, &json);
    fuzz_write(fuzz_path("belfry.conf"), shown.data, shown.length);
    struct config *again = load(&errors);
    fuzz_must(again != NULL, "what is shown can be read");
    config_show(again, catalog, &second);
    fuzz_must(strcmp(shown.data, second.data) == 0, "what is shown is the same model");
    config_close(&again);
    buf_close(&shown);
    buf_close(&second);
    buf_close(&json);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    if (!catalog) {
        catalog = fixture_catalog();
        atexit(close_catalog);
    }
    char *text = fuzz_text(bytes, n);
    uint32_t errors;
    if (!leaves_the_file(text)) {
        fuzz_write(fuzz_path("belfry.conf"), bytes, n);
        struct config *paths = NULL, *config = load(&errors);
        struct config_errors *path_errors = heap_alloc(sizeof *path_errors);
        config_load_paths(fuzz_path("belfry.conf"), &paths, path_errors);
        fuzz_must(paths != NULL, "there are always paths");
        if (config)
            show_again(config);
        config_errors_close(path_errors);
        free(path_errors);
        config_close(&paths);
        config_close(&config);
    }
    free(text);
    return 0;
}
