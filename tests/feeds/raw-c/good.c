/* Right in every way: the measure for the others. */
#include "counter.h"

static const tkr_feed_type type = {COUNTER_TYPE};
static const tkr_feed_type *const types[] = {&type};
static const tkr_plugin plugin = {COUNTER_PLUGIN, .feed_types = types};

const tkr_plugin *tickerd_plugin_v1(void) { return &plugin; }
