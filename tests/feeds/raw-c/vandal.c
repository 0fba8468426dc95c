/* Changes what its whole process shares, ignores every signal it can, and does not stop. */
#define _DEFAULT_SOURCE
#include "counter.h"

#include <locale.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

static tkr_status poll(tkr_feed *f) {
  if (f->n == 0) {
    for (int number = 1; number < 32; number++) signal(number, SIG_IGN);
    umask(0777);
    setlocale(LC_ALL, "");
    if (chdir("/") != 0 || clearenv() != 0) return TKR_ERR_FATAL;
  }
  return counter_poll(f);
}

static void destroy(tkr_feed *f) {
  (void)f;
  for (;;) pause();
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
    .destroy = destroy,
};
static const tkr_feed_type *const types[] = {&type};
static const tkr_plugin plugin = {COUNTER_PLUGIN, .feed_types = types};

static inline void unused(void) { (void)counter_destroy; }

const tkr_plugin *tickerd_plugin_v1(void) {
  (void)unused;
  return &plugin;
}
