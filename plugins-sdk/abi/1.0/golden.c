/* The golden plugin of ABI 1.0 in C: a poll feed that says the same for ever. golden.expected.ndjson is what a client gets.
 *
 * Configuration: {"gate":"/a/path"}. Nothing is emitted before a file of that name exists, and the second half waits for
 * /a/path.second, so that a client can be there first and see each half. See build.sh for how golden-c-x86_64.so was
 * made of it. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tickerd.h"

#define SECOND 1767225600000u

#define SECOND_GATE ".second"

struct tkr_feed {
  const tkr_host *host;
  char *gates[2];
  int step;
};

static tkr_status emit(const tkr_host *h, const char *topic, const char *event, const char *value, uint64_t source_ms) {
  tkr_sample sample;
  memset(&sample, 0, sizeof sample);
  sample.struct_size = sizeof sample;
  sample.topic = topic;
  sample.topic_len = topic ? strlen(topic) : 0;
  sample.event = event;
  sample.event_len = strlen(event);
  sample.value = value;
  sample.value_len = strlen(value);
  sample.source_time_unix_ms = source_ms;
  return h->emit(h, &sample);
}

static void say(const tkr_host *h, int32_t level, const char *text) { h->log(h, level, text, strlen(text)); }

static void health(const tkr_host *h, int32_t state, const char *text) { h->health(h, state, text, strlen(text)); }

static tkr_status fail(const tkr_host *h, tkr_status status, const char *text) {
  h->set_error(h, text, strlen(text));
  return status;
}

static void destroy(tkr_feed *f) {
  free(f->gates[0]);
  free(f->gates[1]);
  free(f);
}

static tkr_status create(const tkr_host *h, const char *config_json, size_t len, tkr_feed **out) {
  static const char key[] = "{\"gate\":\"";
  size_t start = sizeof key - 1;
  tkr_feed *feed;
  int i;
  if (len < start + 2 || memcmp(config_json, key, start) != 0 || memcmp(config_json + len - 2, "\"}", 2) != 0)
    return fail(h, TKR_ERR_CONFIG, "gate: name the file to wait for");
  feed = calloc(1, sizeof *feed);
  if (!feed) return TKR_ERR_TRANSIENT;
  for (i = 0; i < 2; i++) {
    feed->gates[i] = calloc(1, len + sizeof SECOND_GATE);
    if (!feed->gates[i]) {
      destroy(feed);
      return TKR_ERR_TRANSIENT;
    }
    memcpy(feed->gates[i], config_json + start, len - start - 2);
  }
  strcat(feed->gates[1], SECOND_GATE);
  feed->host = h;
  *out = feed;
  return TKR_OK;
}

/* Numbers keep their digits, text its characters, and whitespace between values goes. */
static tkr_status first_half(const tkr_host *h) {
  emit(h, "end", "note", "{\"end\":false}", 0);
  emit(h, NULL, "bell", "1", 0);
  emit(h, "", "bell", "2", 0);
  emit(h, "trades", "trade", "{\"price\":\"189.30\",\"size\":1.50}", SECOND + 123);
  emit(h, "trades", "trade", "{\"price\":189.3000,\"size\":2.000,\"id\":123456789012345678901234567890.10}", SECOND);
  emit(h, "trades", "trade", "[-0.0,1.0E+2,1e-7,0.10]", 1);
  emit(h, "text", "note", "\"Z\303\274rich \346\235\261\344\272\254 \360\237\232\200\"", 0);
  emit(h, "text", "note", "\"caf\\u00e9 \\ud83d\\ude80 \\\"\\\\\\/\\b\\f\\n\\r\\t\"", 0);
  emit(h, "text", "note", "\"\"", 0);
  emit(h, "a.b_c.D-4.e.f.g.h", "note", " { \"spaced\" :\t[ 1 ,\r\n 2 ] , \"spaced\" : \" kept \" } ", 0);
  emit(h, "scalars", "note", "true", 0);
  emit(h, "scalars", "note", "false", 0);
  emit(h, "scalars", "note", "null", 0);
  emit(h, "scalars", "note", "{}", 0);
  emit(h, "scalars", "note", "[]", 0);
  emit(h, "scalars", "note",
       "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[64"
       "]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]",
       0);
  emit(h, "AAPL", "quote", "{\"price\":\"189.10\"}", 0);
  emit(h, "AAPL", "quote", "{\"price\":\"189.20\"}", 0);
  emit(h, "gone", "note", "1", 0);
  say(h, TKR_LOG_INFO, "golden says info");
  say(h, TKR_LOG_WARN, "golden says warn: \303\274");
  say(h, 99, "golden says it at a level of tomorrow");
  health(h, TKR_HEALTH_DEGRADED, "golden: one source of two is away");
  return fail(h, TKR_ERR_TRANSIENT, "golden: the source is away");
}

/* What the host answers is a part of the promise. */
static tkr_status report(const tkr_host *h) {
  tkr_status bad[6];
  char value[128] = "{\"refused\":[";
  size_t i;
  bad[0] = emit(h, "report", "undeclared", "1", 0);
  bad[1] = emit(h, "report", "note", "{", 0);
  bad[2] = emit(h, "report", "note", "\"\377\"", 0);
  bad[3] = emit(h, "report..x", "note", "1", 0);
  bad[4] = emit(h, "trades", "note", "1", 0);
  bad[5] = h->retire(h, "a..b", 4);
  for (i = 0; i < sizeof bad / sizeof *bad; i++) {
    if (i) strcat(value, ",");
    strcat(value, bad[i] == TKR_ERR_INVALID ? "-4" : "\"?\"");
  }
  strcat(value, "],\"unknown_topic\":");
  strcat(value, h->retire(h, "never", 5) == TKR_OK ? "0" : "\"?\"");
  strcat(value, ",\"clock\":");
  strcat(value, h->now_unix_ms(h) > SECOND ? "true" : "false");
  strcat(value, ",\"stop\":");
  strcat(value, h->should_stop(h) || h->sleep_ms(h, 1) ? "1" : "0");
  strcat(value, ",\"instance\":\"");
  strncat(value, h->instance, 16);
  strcat(value, "\"}");
  return emit(h, "report", "note", value, 0);
}

static tkr_status second_half(const tkr_host *h) {
  h->heartbeat(h);
  if (h->get_extension(h, "org.tickerd.golden.none/1"))
    return fail(h, TKR_ERR_FATAL, "golden: it has an extension that nobody ever had");
  emit(h, "trades", "trade", "{\"price\":\"189.31\",\"size\":0.0}", SECOND + 1000);
  emit(h, "AAPL", "quote", "{\"price\":\"189.30\"}", SECOND + 1000);
  report(h);
  health(h, 99, "golden: a state of tomorrow");
  health(h, TKR_HEALTH_CLOSED, "golden: the market is closed");
  h->retire(h, "gone", 4);
  emit(h, "end", "note", "{\"end\":true}", 0);
  return 77; /* a status of tomorrow: OK */
}

static tkr_status poll(tkr_feed *f) {
  if (f->step == 2 || access(f->gates[f->step], F_OK) != 0) return TKR_OK;
  return f->step++ == 0 ? first_half(f->host) : second_half(f->host);
}

static void interrupt(tkr_feed *f) { (void)f; }

static const tkr_event_type bell = {
    .struct_size = sizeof(tkr_event_type),
    .event_class = TKR_CLASS_EVENT,
    .name = "bell",
    .description = "Rings.",
};
static const tkr_event_type trade = {
    .struct_size = sizeof(tkr_event_type),
    .event_class = TKR_CLASS_EVENT,
    .name = "trade",
    .description = "One trade.",
};
static const tkr_event_type note = {
    .struct_size = sizeof(tkr_event_type),
    .event_class = TKR_CLASS_EVENT,
    .name = "note",
    .description = "Anything.",
};
static const tkr_event_type quote = {
    .struct_size = sizeof(tkr_event_type),
    .event_class = TKR_CLASS_STATE,
    .name = "quote",
    .description = "The last price.",
    .value_schema = "{\"type\":\"object\"}",
};
static const tkr_event_type *const events[] = {&bell, &trade, &note, &quote, NULL};

static const tkr_feed_type golden = {
    .struct_size = sizeof(tkr_feed_type),
    .mode = TKR_MODE_POLL,
    .id = "org.tickerd.golden.c",
    .name = "Golden",
    .description = "Says the same for ever.",
    .vendor = "tickerd",
    .license = "MIT OR Apache-2.0",
    .config_schema = "{\"type\":\"object\",\"required\":[\"gate\"],\"properties\":{\"gate\":{\"type\":\"string\"}}}",
    .event_types = events,
    .default_poll_ms = 20,
    .min_poll_ms = 10,
    .create = create,
    .poll = poll,
    .interrupt = interrupt,
    .destroy = destroy,
};
static const tkr_feed_type *const feeds[] = {&golden};

static const tkr_plugin plugin = {
    .struct_size = sizeof(tkr_plugin),
    .abi_minor = TKR_ABI_MINOR,
    .feed_type_count = 1,
    .feed_types = feeds,
    .version = "1.0.0",
    .sdk = "tickerd.h 1.0",
};

const tkr_plugin *tickerd_plugin_v1(void) { return &plugin; }

TKR_META("1.0.0", "org.tickerd.golden.c");
