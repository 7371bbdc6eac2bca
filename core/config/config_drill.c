/* SPDX-License-Identifier: GPL-3.0-or-later */
/* config_drill - drills: { NAME: { source = ...; assertions = ( { ... } ); }; }; read by the tables of
 * core/model/drill.c. Each drill brings a check with it, drills/NAME, which says how the last one went and is CRITICAL
 * when none has passed for too long: so thresholds, graphs and alerts of a drill are those of any check. It is made as
 * text, as somebody could have written it, and read like the rest. With `verify` it brings a second one,
 * drills/NAME-backups, of the plugin backup-restore. */
#include "core/config/config_load.h"

#include <string.h>

#include "core/base/file.h"
#include "core/base/text.h"

#define FIELDS_MAX 32

const char **field_names(struct load *load, const struct drill_field *fields, const char *more)
{
    size_t count = 0;
    const char **names = arena_array(&load->arena, FIELDS_MAX, sizeof(*names));
    for (; fields[count].name; count++)
        names[count] = fields[count].name;
    names[count] = more;
    return names;
}

void field_load(struct load *load, const config_setting_t *group, const struct drill_field *field, void *of)
{
    struct arena *arena = &load->config->arena;
    const config_setting_t *setting = setting_member(group, field->name);
    struct why why = { "" };
    if (!setting) {
        if (field->fallback)
            drill_field_set(field, of, field->fallback, arena, NULL);
        return;
    }
    const char *written = value_written(load, setting);
    if (!written)
        setting_error(load, setting, "'%s' is no group or list: write %s = \"...\";", field->name, field->name);
    else if (drill_field_set(field, of, written, arena, &why) != 0)
        setting_error(load, setting, "%s", why.text);
    else if (field->kind == DRILL_SECRET)
        secret_check(load, setting, field->name, written);
}

static void load_assertion(struct load *load, const config_setting_t *group, struct drill_assertion *out)
{
    struct why why = { "" };
    if (!setting_check_keys(load, group, "an assertion", field_names(load, drill_assertion_fields, NULL)))
        return;
    uint32_t before = load->report.errors->count;
    for (const struct drill_field *field = drill_assertion_fields; field->name; field++)
        field_load(load, group, field, out);
    if (load->report.errors->count == before && drill_assertion_check(out, &why) != 0)
        setting_error(load, group, "%s", why.text);
    if (out->name)
        return;
    const char *const subjects[] = { out->sql, out->table, out->fresh,  out->file,
                                     out->key, out->app,   out->counts, out->checksums };
    const char *subject = NULL;
    for (size_t i = 0; !subject && i < sizeof subjects / sizeof subjects[0]; i++)
        subject = subjects[i];
    out->name = arena_print(&load->config->arena, "%.60s", subject ? subject : "?");
}

static void load_assertions(struct load *load, const config_setting_t *list, struct drill_config *drill)
{
    int count = config_setting_is_list(list) ? config_setting_length(list) : -1;
    if (count < 0 || count > DRILL_ASSERTIONS_MAX) {
        setting_error(load, list,
                      "'assertions' is a list of at most %d groups: assertions = ( { table = \"shop.orders\"; } );",
                      DRILL_ASSERTIONS_MAX);
        return;
    }
    drill->assertions = arena_array(&load->config->arena, (size_t)count + 1, sizeof(*drill->assertions));
    drill->assertion_count = (uint32_t)count;
    for (int i = 0; i < count; i++)
        load_assertion(load, config_setting_get_elem(list, (unsigned)i), &drill->assertions[i]);
}

static void load_drill(struct load *load, const struct block *block, struct drill_config *drill)
{
    const config_setting_t *assertions = setting_member(block->setting, "assertions");
    struct why why = { "" };
    const char **known = field_names(load, drill_fields, "assertions");
    size_t count = 0;
    while (known[count])
        count++;
    known[count] = "name";
    setting_check_keys(load, block->setting, arena_print(&load->arena, "drill '%s'", block->name), known);
    uint32_t before = load->report.errors->count;
    drill->name = arena_text(&load->config->arena, block->name);
    drill->place.file = block->place.file;
    drill->place.line = block->place.line;
    for (const struct drill_field *field = drill_fields; field->name; field++)
        field_load(load, block->setting, field, drill);
    if (assertions)
        load_assertions(load, assertions, drill);
    if (!drill->workspace)
        drill->workspace = file_join(&load->config->arena, load->config->state_dir, "scratch");
    if (load->report.errors->count == before && drill_check(drill, &why) != 0)
        report_error(&load->report, block->place, "%s", why.text);
}

void drill_load_all(struct load *load)
{
    struct config *config = load->config;
    config->drill_count = load->drills.count;
    config->drills = arena_array(&config->arena, config->drill_count + 1, sizeof(*config->drills));
    for (uint32_t i = 0; i < config->drill_count; i++)
        load_drill(load, &load->drills.blocks[i], &config->drills[i]);
}

/* ---- their checks ------------------------------------------------------------------------------------------------ */

#define VERIFIER "backup-restore"

/* In libconfig's quotes; a $ is written twice to stay one. */
static void write_text(struct buf *out, const char *text)
{
    buf_char(out, '"');
    for (; *text; text++) {
        if (*text == '"' || *text == '\\' || *text == '$')
            buf_char(out, *text == '$' ? '$' : '\\');
        buf_char(out, (unsigned char)*text < 0x20 ? ' ' : *text);
    }
    buf_char(out, '"');
}

void proof_write_check(struct load *load, const struct proof *proof, struct buf *out)
{
    char number[TEXT_NUMBER_SIZE], soon[TEXT_NUMBER_SIZE];
    const char *path =
        arena_print(&load->arena, "%s/%s/%s/last.json", load->config->state_dir, proof->folder, proof->name);
    text_format_number(number, (double)(proof->overdue_ms / 1000));
    text_format_number(soon, (double)(proof->overdue_ms / 1000 * 9 / 10));
    buf_print(out, "{ name = \"%s\"; title = ", proof->name);
    write_text(out, proof->title ? proof->title : proof->name);
    buf_text(out, "; plugin = \"drill\"; every = \"60s\"; timeout = \"10s\"; attempts = 1; record = ");
    write_text(out, path);
    buf_print(out, "%s; thresholds = { age = { warn = \"%s\"; crit = \"%s\"; }; ",
              proof->runbook ? "; runbook = true" : "", soon, number);
    text_format_number(number, (double)proof->rto_ms / 1000);
    buf_print(out, "rto = { crit = \"%s\"; }; ", number);
    text_format_number(number, (double)proof->rpo_ms / 1000);
    if (proof->rpo_ms)
        buf_print(out, "rpo = { crit = \"%s\"; }; ", number);
    buf_text(out, "}; }");
}

/* All backups of the drill's source, by the cheap questions. */
static void write_verification(struct load *load, const struct drill_config *drill, struct buf *out)
{
    const struct place place = { drill->place.file, drill->place.line };
    if (!catalog_find(load->catalog, VERIFIER))
        report_error(&load->report, place,
                     "drill '%s': verify = true; needs the plugin '" VERIFIER "', which is not there", drill->name);
    else if (!drill->source || drill->source[0] != '/')
        report_error(&load->report, place,
                     "drill '%s': verify = true; is for backups on this machine: write a check with the plugin "
                     "'backup-tools' for those elsewhere",
                     drill->name);
    else {
        buf_print(out, ", { name = \"%s-backups\"; title = ", drill->name);
        write_text(out, arena_print(&load->arena, "%s: all backups", drill->title ? drill->title : drill->name));
        buf_print(out,
                  "; plugin = \"" VERIFIER
                  "\"; every = \"1h\"; timeout = \"30m\"; rpo = \"%llds\"; source = { backups = ",
                  (long long)(drill->rpo_ms / 1000));
        write_text(out, drill->source);
        buf_text(out, "; }; }");
    }
}

void drill_write_checks(struct load *load, struct buf *out)
{
    if (load->config->drill_count == 0 || !catalog_find(load->catalog, "drill"))
        return;
    buf_text(out, "services = { drills = { title = \"Restore drills\"; checks = ( ");
    for (uint32_t i = 0; i < load->config->drill_count; i++) {
        const struct drill_config *drill = &load->config->drills[i];
        const struct proof proof = { "drills",      drill->name,       drill->title, drill->rto_ms,
                                     drill->rpo_ms, drill->overdue_ms, false };
        buf_text(out, i ? ", " : "");
        proof_write_check(load, &proof, out);
        if (drill->verify)
            write_verification(load, drill, out);
    }
    buf_text(out, " ); }; };\n");
}
