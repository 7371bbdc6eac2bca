/* SPDX-License-Identifier: GPL-3.0-or-later */
/* config_recovery - tiers: { NAME: { rto = ...; rpo = ...; }; }; and runbooks: { NAME: { tier = ...; steps = ( { ... }
 * ); }; }; read by the tables of core/model/runbook.c. Each runbook brings the check recovery/NAME with it, as a drill
 * does. Its steps may name drills and checks, which must be there. */
#include "core/config/config_load.h"

#include <string.h>

/* ---- tiers ------------------------------------------------------------------------------------------------------- */

static void load_tier(struct load *load, const struct block *block, struct tier *tier)
{
    setting_check_keys(load, block->setting, arena_print(&load->arena, "tier '%s'", block->name),
                       field_names(load, tier_fields, "name"));
    tier->name = arena_text(&load->config->arena, block->name);
    for (const struct drill_field *field = tier_fields; field->name; field++)
        field_load(load, block->setting, field, tier);
    if (!tier->rto_ms && !load->settings_missing)
        report_error(&load->report, block->place, "tier '%s' has no target: write rto = \"2h\";", block->name);
}

static void load_tiers(struct load *load)
{
    struct config *config = load->config;
    config->tier_count = load->tiers.count;
    config->tiers = arena_array(&config->arena, config->tier_count + 1, sizeof(*config->tiers));
    for (uint32_t i = 0; i < config->tier_count; i++)
        load_tier(load, &load->tiers.blocks[i], &config->tiers[i]);
}

static const struct tier *find_tier(const struct load *load, const char *name)
{
    for (uint32_t i = 0; i < load->config->tier_count; i++)
        if (strcmp(load->config->tiers[i].name, name) == 0)
            return &load->config->tiers[i];
    for (const struct tier *tier = runbook_tiers; tier->name; tier++)
        if (strcmp(tier->name, name) == 0)
            return tier;
    return NULL;
}

/* The tier of a runbook; false when there is none of that name, which was reported. */
static bool take_tier(struct load *load, const struct block *block, const char *name, const struct tier **out)
{
    *out = name ? find_tier(load, name) : NULL;
    if (!name || *out)
        return true;
    if (!load->names_missing)
        setting_error(load, setting_member(block->setting, "tier"),
                      "there is no tier '%s': write 1, 2, 3 or one of tiers: { NAME: { rto = \"2h\"; }; };", name);
    return false;
}

/* ---- steps ------------------------------------------------------------------------------------------------------- */

static void load_step(struct load *load, const config_setting_t *group, struct runbook_step *step)
{
    struct why why = { "" };
    uint32_t before = load->report.errors->count;
    if (!setting_check_keys(load, group, "a step", field_names(load, runbook_step_fields, NULL)))
        return;
    step->line = setting_place(group).line;
    for (const struct drill_field *field = runbook_step_fields; field->name; field++)
        field_load(load, group, field, step);
    if (load->report.errors->count == before && runbook_step_complete(step, &load->config->arena, &why) != 0)
        setting_error(load, group, "%s", why.text);
    const char *drill = step->kinds[STEP_DRILL];
    if (drill && !section_find(&load->drills, drill) && !load->names_missing)
        setting_error(load, setting_member(group, "drill"), "there is no drill '%s'%s", drill,
                      suggest_block(load, drill, &load->drills, "drills"));
}

static void load_steps(struct load *load, const config_setting_t *list, struct runbook *runbook)
{
    int count = config_setting_is_list(list) ? config_setting_length(list) : -1;
    if (count < 0 || count > RUNBOOK_STEPS_MAX) {
        setting_error(load, list, "'steps' is a list of at most %d groups: steps = ( { do = \"...\"; } );",
                      RUNBOOK_STEPS_MAX);
        return;
    }
    runbook->steps = arena_array(&load->config->arena, (size_t)count + 1, sizeof(*runbook->steps));
    runbook->step_count = (uint32_t)count;
    for (int i = 0; i < count; i++)
        load_step(load, config_setting_get_elem(list, (unsigned)i), &runbook->steps[i]);
}

/* ---- runbooks ---------------------------------------------------------------------------------------------------- */

/* 'belfry drill' takes either by its name. */
static void check_name(struct load *load, const struct block *block)
{
    const struct block *drill = section_find(&load->drills, block->name);
    if (drill)
        report_error(&load->report, block->place,
                     "runbook '%s' has the name of a drill (%s:%d): 'belfry drill' takes either, so rename one",
                     block->name, drill->place.file, drill->place.line);
}

static void load_runbook(struct load *load, const struct block *block, struct runbook *runbook)
{
    const config_setting_t *steps = setting_member(block->setting, "steps");
    const struct tier *tier = NULL;
    struct why why = { "" };
    const char **known = field_names(load, runbook_fields, "steps");
    size_t count = 0;
    while (known[count])
        count++;
    known[count] = "name";
    setting_check_keys(load, block->setting, arena_print(&load->arena, "runbook '%s'", block->name), known);
    check_name(load, block);
    uint32_t before = load->report.errors->count;
    runbook->name = arena_text(&load->config->arena, block->name);
    runbook->file = block->place.file;
    runbook->line = block->place.line;
    for (const struct drill_field *field = runbook_fields; field->name; field++)
        field_load(load, block->setting, field, runbook);
    if (steps)
        load_steps(load, steps, runbook);
    if (take_tier(load, block, runbook->tier, &tier) && load->report.errors->count == before &&
        runbook_complete(runbook, tier, &why) != 0)
        report_error(&load->report, block->place, "%s", why.text);
}

void runbook_load_all(struct load *load)
{
    struct config *config = load->config;
    load_tiers(load);
    config->runbook_count = load->runbooks.count;
    config->runbooks = arena_array(&config->arena, config->runbook_count + 1, sizeof(*config->runbooks));
    for (uint32_t i = 0; i < config->runbook_count; i++)
        load_runbook(load, &load->runbooks.blocks[i], &config->runbooks[i]);
}

void runbook_write_checks(struct load *load, struct buf *out)
{
    if (load->config->runbook_count == 0 || !catalog_find(load->catalog, "drill"))
        return;
    buf_text(out, "services = { recovery = { title = \"Rehearsals of recovery\"; checks = ( ");
    for (uint32_t i = 0; i < load->config->runbook_count; i++) {
        const struct runbook *runbook = &load->config->runbooks[i];
        const struct proof proof = {
            "recovery", runbook->name, runbook->title, runbook->rto_ms, runbook->rpo_ms, runbook->overdue_ms, true
        };
        buf_text(out, i ? ", " : "");
        proof_write_check(load, &proof, out);
    }
    buf_text(out, " ); }; };\n");
}

/* ---- their checks ------------------------------------------------------------------------------------------------ */

static void check_steps(struct load *load, const struct runbook *runbook)
{
    for (uint32_t i = 0; i < runbook->step_count; i++) {
        const char *check = runbook->steps[i].kinds[STEP_CHECK];
        if (check && !config_check_find(load->config, check))
            report_error(&load->report, (struct place){ runbook->file, runbook->steps[i].line },
                         "there is no check '%s': write SERVICE/CHECK as 'belfry status' shows it", check);
    }
}

void runbook_check_all(struct load *load)
{
    if (load->names_missing || load->plugins_missing || load->settings_missing)
        return;
    for (uint32_t i = 0; i < load->config->runbook_count; i++)
        check_steps(load, &load->config->runbooks[i]);
}
