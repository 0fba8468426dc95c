/* Closes every descriptor of its process, and goes on counting. */
#include "counter.h"

#include <unistd.h>

static tkr_status poll(tkr_feed *f) {
  if (f->n == 2) {
    for (int fd = 0; fd < 256; fd++) close(fd);
  }
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
