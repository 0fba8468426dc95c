/* Says its structs end before their last members, where only poison is: it must run, and the poison stay unread. */
#include <stdint.h>

#include "counter.h"

/* A pointer that ends the process if it is followed. Filled in at run time: C has no such constant. */
static void *poison(void) { return (void *)(uintptr_t)64; }

static tkr_status poll(tkr_feed *f) {
  tkr_sample sample;
  tkr_status status;
  memset(&sample, 0xff, sizeof sample);
  sample.struct_size = offsetof(tkr_sample, source_time_unix_ms);
  sample.flags = 0;
  sample.topic = "counter";
  sample.topic_len = strlen(sample.topic);
  sample.event = "count";
  sample.event_len = strlen(sample.event);
  sample.value = "{\"n\":1}";
  sample.value_len = strlen(sample.value);
  status = f->host->emit(f->host, &sample);
  return status < 0 ? status : TKR_OK;
}

static tkr_event_type event;
static const tkr_event_type *const events[] = {&event, NULL};
static tkr_feed_type type;
static const tkr_feed_type *const types[] = {&type};
static tkr_plugin plugin;

const tkr_plugin *tickerd_plugin_v1(void) {
  if (plugin.struct_size == 0) {
    const tkr_feed_type good = {COUNTER_TYPE};
    const tkr_plugin good_plugin = {COUNTER_PLUGIN, .feed_types = types};
    void *bad = poison();

    event = counter_event;
    event.struct_size = offsetof(tkr_event_type, value_schema);
    event.value_schema = bad;

    type = good;
    type.struct_size = offsetof(tkr_feed_type, get_extension);
    type.event_types = events;
    type.poll = poll;
    memcpy(&type.get_extension, &bad, sizeof bad);

    plugin = good_plugin;
    plugin.sdk = bad;
    plugin.struct_size = offsetof(tkr_plugin, sdk);
  }
  return &plugin;
}
