/* The smallest honest C plugin: counts its polls. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tickerd.h>

struct tkr_feed {
  const tkr_host *host;
  unsigned long n;
};

static tkr_status create(const tkr_host *h, const char *config_json, size_t len, tkr_feed **out) {
  static const char wrong[] = "the configuration must be an object";
  tkr_feed *feed;
  if (len == 0 || config_json[0] != '{') {
    h->set_error(h, wrong, strlen(wrong));
    return TKR_ERR_CONFIG;
  }
  feed = malloc(sizeof *feed);
  if (!feed) return TKR_ERR_TRANSIENT;
  feed->host = h;
  feed->n = 0;
  *out = feed;
  return TKR_OK;
}

static tkr_status poll(tkr_feed *f) {
  char value[32];
  tkr_sample sample = {0};
  tkr_status status;
  int len = snprintf(value, sizeof value, "{\"n\":%lu}", ++f->n);
  sample.struct_size = sizeof sample;
  sample.topic = "clock";
  sample.topic_len = 5;
  sample.event = "tick";
  sample.event_len = 4;
  sample.value = value;
  sample.value_len = (size_t)len;
  status = f->host->emit(f->host, &sample);
  if (TKR_HAS(f->host, tkr_host, heartbeat)) f->host->heartbeat(f->host);
  return status < 0 ? status : TKR_OK;
}

static void destroy(tkr_feed *f) { free(f); }

static const tkr_event_type tick = {
    .struct_size = sizeof(tkr_event_type),
    .event_class = TKR_CLASS_STATE,
    .name = "tick",
    .description = "How often the feed was polled.",
};
static const tkr_event_type *const events[] = {&tick, NULL};

static const tkr_feed_type ticks = {
    .struct_size = sizeof(tkr_feed_type),
    .mode = TKR_MODE_POLL,
    .id = "org.example.ticks",
    .name = "Ticks",
    .description = "Counts its polls.",
    .event_types = events,
    .default_poll_ms = 1000,
    .min_poll_ms = 1,
    .create = create,
    .poll = poll,
    .destroy = destroy,
};
static const tkr_feed_type *const feeds[] = {&ticks};

static const tkr_plugin plugin = {
    .struct_size = sizeof(tkr_plugin),
    .abi_minor = TKR_ABI_MINOR,
    .feed_type_count = 1,
    .feed_types = feeds,
    .version = "1.0.0",
    .sdk = "tickerd.h 1.0",
};

const tkr_plugin *tickerd_plugin_v1(void) { return &plugin; }

TKR_META("1.0.0", "org.example.ticks");
