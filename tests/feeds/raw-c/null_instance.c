/* create answers OK and leaves no instance. */
#include "counter.h"

static tkr_status create(const tkr_host *h, const char *config_json, size_t len, tkr_feed **out) {
  (void)h;
  (void)config_json;
  (void)len;
  *out = NULL;
  return TKR_OK;
}

static const tkr_feed_type type = {
    .struct_size = sizeof(tkr_feed_type),
    .mode = TKR_MODE_POLL,
    .id = "org.tickerd.test.c",
    .name = "C",
    .event_types = counter_events,
    .default_poll_ms = 100,
    .min_poll_ms = 1,
    .create = create,
    .poll = counter_poll,
    .destroy = counter_destroy,
};
static const tkr_feed_type *const types[] = {&type};
static const tkr_plugin plugin = {COUNTER_PLUGIN, .feed_types = types};

const tkr_plugin *tickerd_plugin_v1(void) { return &plugin; }
