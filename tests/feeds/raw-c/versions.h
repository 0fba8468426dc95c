/* Feeds that say which version they are: VERSION is its name. With PUSH they speak of themselves. */
#include "counter.h"

static tkr_status version_say(tkr_feed *f) {
  char value[64];
  tkr_sample sample;
  memset(&sample, 0, sizeof sample);
  sample.struct_size = sizeof sample;
  sample.topic = "counter";
  sample.topic_len = strlen(sample.topic);
  sample.event = "count";
  sample.event_len = strlen(sample.event);
  sample.value_len = (size_t)snprintf(value, sizeof value, "{\"v\":\"%s\",\"n\":%lu}", VERSION, ++f->n);
  sample.value = value;
  return f->host->emit(f->host, &sample) < 0 ? TKR_ERR_STOPPING : TKR_OK;
}

static const tkr_event_type version_event = {
    .struct_size = sizeof(tkr_event_type),
    .event_class = TKR_CLASS_EVENT,
    .name = "count",
    .description = "Counts, and each one matters.",
};
static const tkr_event_type *const version_events[] = {&version_event, NULL};

#ifdef PUSH
static tkr_status version_run(tkr_feed *f) {
  while (version_say(f) == TKR_OK && !f->host->sleep_ms(f->host, 2)) {
  }
  return TKR_OK;
}
#define VERSION_WORK .mode = TKR_MODE_PUSH, .run = version_run
#else
#define VERSION_WORK .mode = TKR_MODE_POLL, .poll = version_say
#endif

static const tkr_feed_type version_type = {
    .struct_size = sizeof(tkr_feed_type),
    .id = "org.tickerd.test.version",
    .name = "Version",
    .event_types = version_events,
    .default_poll_ms = 10,
    .min_poll_ms = 1,
    .create = counter_create,
    .destroy = counter_destroy,
    VERSION_WORK,
};
static const tkr_feed_type *const version_types[] = {&version_type};
static const tkr_plugin version_plugin = {
    .struct_size = sizeof(tkr_plugin),
    .abi_minor = TKR_ABI_MINOR,
    .feed_type_count = 1,
    .feed_types = version_types,
    .version = VERSION,
    .sdk = "tickerd.h",
};

const tkr_plugin *tickerd_plugin_v1(void) {
  counter_unused();
  return &version_plugin;
}
