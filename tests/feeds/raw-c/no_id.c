/* A feed type whose texts are NULL. */
#include "counter.h"

static const tkr_feed_type type = {
    .struct_size = sizeof(tkr_feed_type),
    .mode = TKR_MODE_POLL,
    .event_types = counter_events,
    .default_poll_ms = 100,
    .min_poll_ms = 1,
    .create = counter_create,
    .poll = counter_poll,
    .destroy = counter_destroy,
};
static const tkr_feed_type *const types[] = {&type};
static const tkr_plugin plugin = {COUNTER_PLUGIN, .feed_types = types};

const tkr_plugin *tickerd_plugin_v1(void) { return &plugin; }
