/* Calls a member of the host's table that ABI 1.0 does not have, without asking TKR_HAS: no host has to bear that. */
#include "counter.h"

typedef struct {
  tkr_host today;
  void (*of_tomorrow)(const tkr_host *h);
} host_of_tomorrow;

static tkr_status poll(tkr_feed *f) {
  const host_of_tomorrow *host = (const host_of_tomorrow *)f->host;
  if (host->of_tomorrow) host->of_tomorrow(f->host);
  return counter_poll(f);
}

static const tkr_feed_type type = {
    .struct_size = sizeof(tkr_feed_type),
    .mode = TKR_MODE_POLL,
    .id = "org.tickerd.test.c",
    .name = "C",
    .event_types = counter_events,
    .default_poll_ms = 100,
    .min_poll_ms = 1,
    .create = counter_create,
    .poll = poll,
    .destroy = counter_destroy,
};
static const tkr_feed_type *const types[] = {&type};
static const tkr_plugin plugin = {COUNTER_PLUGIN, .feed_types = types};

const tkr_plugin *tickerd_plugin_v1(void) { return &plugin; }
