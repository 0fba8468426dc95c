/* The skeleton of the plugins in this folder: each is right but for one thing, and `tickerd plugin check` must say which. */
#ifndef BROKEN_H
#define BROKEN_H

#define _GNU_SOURCE
#include "../raw-c/counter.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Sleeps for real, whatever tickerd's clock says. */
static inline void sleep_for_ms(long ms) {
  struct timespec time = {ms / 1000, ms % 1000 * 1000000};
  nanosleep(&time, NULL);
}

/* A real fault: a signal that is only raised comes back to its caller, once. */
static inline void crash(void) { *(volatile int *)8 = 1; }

static inline void say_error(const tkr_host *h, const char *text) { h->set_error(h, text, strlen(text)); }

/* Emits `{"n":N}` on `counter`, with this source time. */
static inline tkr_status emit_count(const tkr_host *h, unsigned long n, uint64_t source_time) {
  char value[32];
  tkr_sample sample;
  memset(&sample, 0, sizeof sample);
  sample.struct_size = sizeof sample;
  sample.topic = "counter";
  sample.topic_len = strlen(sample.topic);
  sample.event = "count";
  sample.event_len = strlen(sample.event);
  sample.value_len = (size_t)snprintf(value, sizeof value, "{\"n\":%lu}", n);
  sample.value = value;
  sample.source_time_unix_ms = source_time;
  return h->emit(h, &sample);
}

/* A feed type that is right, with the members behind it in place of its own; designated initialisers: the last one counts. */
#pragma GCC diagnostic ignored "-Woverride-init"
#define BROKEN_TYPE(...) static const tkr_feed_type type = {COUNTER_TYPE, __VA_ARGS__};
#define BROKEN_PLUGIN(...)                                                              \
  static const tkr_feed_type *const types[] = {&type};                                  \
  static const tkr_plugin plugin = {COUNTER_PLUGIN, .feed_types = types, __VA_ARGS__};  \
  const tkr_plugin *tickerd_plugin_v1(void) { return &plugin; }
#define BROKEN(...)        \
  BROKEN_TYPE(__VA_ARGS__) \
  BROKEN_PLUGIN(.min_host_minor = 0)

#endif
