/* The ABI as a C author might write it down, and the least of a plugin around it. */
#include <stdint.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
typedef int32_t st;
typedef struct { uint32_t size, flags; const char *topic; size_t topic_len; const char *event; size_t event_len;
  const char *value; size_t value_len; uint64_t ts; } sample;
typedef struct { uint32_t size, cls; const char *name, *description, *schema; } event_type;
typedef struct host { uint32_t size, minor; const char *version, *instance;
  st (*emit)(const struct host *, const sample *);
  void (*log)(const struct host *, int32_t, const char *, size_t);
  void (*set_error)(const struct host *, const char *, size_t);
  int32_t (*should_stop)(const struct host *);
  void (*heartbeat)(const struct host *);
  void (*health)(const struct host *, int32_t, const char *, size_t);
  st (*retire)(const struct host *, const char *, size_t);
  uint64_t (*now)(const struct host *);
  int32_t (*sleep_ms)(const struct host *, uint64_t);
  const void *(*ext)(const struct host *, const char *); } host;
typedef struct feed { const host *h; long n; } feed;
typedef struct { uint32_t size, mode; const char *id, *name, *description, *vendor, *license, *homepage, *schema;
  const event_type *const *events; uint32_t default_poll, min_poll;
  st (*create)(const host *, const char *, size_t, feed **); st (*poll)(feed *); st (*run)(feed *);
  void (*interrupt)(feed *); void (*destroy)(feed *); const void *(*ext)(feed *, const char *); } feed_type;
typedef struct { uint32_t size, minor, min_host, count; const feed_type *const *types;
  const char *version, *sdk; } tkr_plugin;
static st say(const host *h, const char *topic, const char *event, const char *value) {
  sample s = { sizeof s, 0, topic, strlen(topic), event, strlen(event), value, strlen(value), 77 };
  return h->emit(h, &s); }
static void fault(const host *h, const char *text) { h->set_error(h, text, strlen(text)); }
static st create(const host *h, const char *c, size_t n, feed **out) {
  feed *f = calloc(1, sizeof *f); f->h = h; *out = f; return 0; }
static void destroy(feed *f) { free(f); }
static const event_type quote = { sizeof(event_type), 1, "quote", "q", 0 };
static const event_type trade = { sizeof(event_type), 2, "trade", "t", 0 };
static const event_type *const events[] = { &quote, &trade, 0 };
#define SDK "c"
#define PLUGIN(...) \
  static const feed_type type = { .size = sizeof(feed_type), .id = "org.example.test", .name = "test", \
    .description = "d", .events = events, .create = create, .destroy = destroy, .default_poll = 20, __VA_ARGS__ }; \
  static const feed_type *const types[] = { &type }; \
  static const tkr_plugin me = { sizeof(tkr_plugin), 0, 0, 1, types, "0.3.0", SDK }; \
  const tkr_plugin *tickerd_plugin_v1(void) { return &me; }
