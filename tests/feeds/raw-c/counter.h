/* A well-behaved feed for the plugins in this folder, which each get one thing wrong or odd. */
#ifndef COUNTER_H
#define COUNTER_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tickerd.h>

struct tkr_feed {
  const tkr_host *host;
  unsigned long n;
};

static tkr_status counter_create(const tkr_host *h, const char *config_json, size_t len, tkr_feed **out) {
  tkr_feed *feed = malloc(sizeof *feed);
  (void)config_json;
  (void)len;
  if (!feed) return TKR_ERR_TRANSIENT;
  feed->host = h;
  feed->n = 0;
  *out = feed;
  return TKR_OK;
}

static tkr_status counter_poll(tkr_feed *f) {
  char value[32];
  tkr_sample sample;
  tkr_status status;
  memset(&sample, 0, sizeof sample);
  sample.struct_size = sizeof sample;
  sample.topic = "counter";
  sample.topic_len = strlen(sample.topic);
  sample.event = "count";
  sample.event_len = strlen(sample.event);
  sample.value_len = (size_t)snprintf(value, sizeof value, "{\"n\":%lu}", ++f->n);
  sample.value = value;
  status = f->host->emit(f->host, &sample);
  return status < 0 ? status : TKR_OK;
}

static void counter_destroy(tkr_feed *f) { free(f); }

static const tkr_event_type counter_event = {
    .struct_size = sizeof(tkr_event_type),
    .event_class = TKR_CLASS_STATE,
    .name = "count",
    .description = "Counts.",
};
static const tkr_event_type *const counter_events[] = {&counter_event, NULL};

/* The members of a good feed type; each plugin names those it changes after these. */
#define COUNTER_TYPE                                                                                        \
  .struct_size = sizeof(tkr_feed_type), .mode = TKR_MODE_POLL, .id = "org.tickerd.test.c", .name = "C",     \
  .description = "Counts.", .event_types = counter_events, .default_poll_ms = 100, .min_poll_ms = 1,        \
  .create = counter_create, .poll = counter_poll, .destroy = counter_destroy

#define COUNTER_PLUGIN                                                                                      \
  .struct_size = sizeof(tkr_plugin), .abi_minor = TKR_ABI_MINOR, .feed_type_count = 1, .version = "1.0.0",  \
  .sdk = "tickerd.h"

/* Not every plugin here uses all of it. */
static inline void counter_unused(void) {
  (void)counter_create;
  (void)counter_poll;
  (void)counter_destroy;
  (void)counter_events;
}

#endif
