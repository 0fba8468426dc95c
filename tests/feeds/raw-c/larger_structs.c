/* Built with a header of the future, whose structs have more members: it must run as if it were of today. */
#include "counter.h"

typedef struct {
  tkr_event_type today;
  const char *unit;
} event_of_tomorrow;
typedef struct {
  tkr_feed_type today;
  tkr_status (*reload)(tkr_feed *f);
} feed_type_of_tomorrow;
typedef struct {
  tkr_plugin today;
  const char *signature;
} plugin_of_tomorrow;
typedef struct {
  tkr_sample today;
  uint64_t expires_unix_ms;
} sample_of_tomorrow;

static tkr_status poll(tkr_feed *f) {
  sample_of_tomorrow sample;
  tkr_status status;
  memset(&sample, 0, sizeof sample);
  sample.expires_unix_ms = 1;
  sample.today.struct_size = sizeof sample;
  sample.today.topic = "counter";
  sample.today.topic_len = strlen(sample.today.topic);
  sample.today.event = "count";
  sample.today.event_len = strlen(sample.today.event);
  sample.today.value = "{\"n\":1}";
  sample.today.value_len = strlen(sample.today.value);
  status = f->host->emit(f->host, &sample.today);
  return status < 0 ? status : TKR_OK;
}

static const event_of_tomorrow event = {
    {
        .struct_size = sizeof(event_of_tomorrow),
        .event_class = TKR_CLASS_STATE,
        .name = "count",
        .description = "Counts.",
    },
    "1",
};
static const tkr_event_type *const events[] = {&event.today, NULL};
static const feed_type_of_tomorrow type = {
    {
        .struct_size = sizeof(feed_type_of_tomorrow),
        .mode = TKR_MODE_POLL,
        .id = "org.tickerd.test.c",
        .name = "C",
        .event_types = events,
        .default_poll_ms = 100,
        .min_poll_ms = 1,
        .create = counter_create,
        .poll = poll,
        .destroy = counter_destroy,
    },
    counter_poll,
};
static const tkr_feed_type *const types[] = {&type.today};
static const plugin_of_tomorrow plugin = {
    {
        .struct_size = sizeof(plugin_of_tomorrow),
        .abi_minor = 7,
        .feed_type_count = 1,
        .feed_types = types,
        .version = "1.0.0",
        .sdk = "tickerd.h of tomorrow",
    },
    "none",
};

const tkr_plugin *tickerd_plugin_v1(void) { return &plugin.today; }
