/* Needs ABI 1.7, which no tickerd has yet: the refusal must name both versions and what to upgrade. */
#include "counter.h"

static const tkr_feed_type type = {COUNTER_TYPE};
static const tkr_feed_type *const types[] = {&type};
static const tkr_plugin plugin = {COUNTER_PLUGIN, .feed_types = types, .min_host_minor = 7};

const tkr_plugin *tickerd_plugin_v1(void) { return &plugin; }
