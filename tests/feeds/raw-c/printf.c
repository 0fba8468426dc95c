/* Prints through stdio, which keeps the text until the process ends or the buffer is full. */
#include "counter.h"

static tkr_status poll(tkr_feed *f) {
  printf("noise from C, buffered\n");
  fprintf(stderr, "noise from C on stderr\n");
  if (f->n % 2 == 0) fflush(stdout);
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
