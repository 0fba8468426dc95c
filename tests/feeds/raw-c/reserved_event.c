/* Declares an event whose name is tickerd's own. */
#include "counter.h"

static const tkr_event_type heartbeat = {
    .struct_size = sizeof(tkr_event_type),
    .event_class = TKR_CLASS_STATE,
    .name = "heartbeat",
    .description = "Not for feeds.",
};
static const tkr_event_type *const events[] = {&heartbeat, NULL};
static const tkr_feed_type type = {
    .struct_size = sizeof(tkr_feed_type),
    .mode = TKR_MODE_POLL,
    .id = "org.tickerd.test.c",
    .name = "C",
    .event_types = events,
    .default_poll_ms = 100,
    .min_poll_ms = 1,
    .create = counter_create,
    .poll = counter_poll,
    .destroy = counter_destroy,
};
static const tkr_feed_type *const types[] = {&type};
static const tkr_plugin plugin = {COUNTER_PLUGIN, .feed_types = types};

const tkr_plugin *tickerd_plugin_v1(void) { return &plugin; }
