/* The feed against a host in memory, whose clock moves when the feed sleeps. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tickerd.h>

#define CHECK(what)                                                            \
  do {                                                                         \
    if (!(what)) {                                                             \
      fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #what);       \
      exit(1);                                                                 \
    }                                                                          \
  } while (0)

static uint64_t now_ms = 1767225600000;
static int emitted, sleeps_left;
static double low, high;
static char error[128];

static tkr_status emit(const tkr_host *h, const tkr_sample *s) {
  char said[64];
  double level;
  (void)h;
  CHECK(s->topic_len == 7 && !memcmp(s->topic, "harbour", 7));
  CHECK(s->event_len == 4 && !memcmp(s->event, "tide", 4));
  snprintf(said, sizeof said, "%.*s", (int)s->value_len, s->value);
  CHECK(sscanf(said, "{\"level_m\":%lf}", &level) == 1);
  low = level < low ? level : low;
  high = level > high ? level : high;
  emitted++;
  return TKR_OK;
}

static void set_error(const tkr_host *h, const char *msg, size_t len) {
  (void)h;
  snprintf(error, sizeof error, "%.*s", (int)len, msg);
}

static uint64_t now_unix_ms(const tkr_host *h) {
  (void)h;
  return now_ms;
}

static int32_t sleep_ms(const tkr_host *h, uint64_t ms) {
  (void)h;
  now_ms += ms;
  return --sleeps_left <= 0;
}

static const tkr_host host = {.struct_size = sizeof host,
                              .version = "0.0.0",
                              .instance = "test",
                              .emit = emit,
                              .set_error = set_error,
                              .now_unix_ms = now_unix_ms,
                              .sleep_ms = sleep_ms};

static tkr_status create(const char *config, tkr_feed **out) {
  return tickerd_plugin_v1()->feed_types[0]->create(&host, config, strlen(config), out);
}

static void the_water_rises_and_falls_until_told_to_stop(void) {
  const tkr_feed_type *type = tickerd_plugin_v1()->feed_types[0];
  tkr_feed *feed = NULL;
  CHECK(create("{\"range_m\":4,\"period_s\":60}", &feed) == TKR_OK);
  sleeps_left = 240;
  CHECK(type->run(feed) == TKR_OK);
  CHECK(emitted == 240);
  CHECK(low < -0.5 && low >= -2 && high > 0.5 && high <= 2);
  type->destroy(feed);
}

static void a_wrong_configuration_is_told(void) {
  static const char *const wrong[] = {"[]", "{\"range_m\":-1}", "{\"range_m\":\"wide\"}", "{\"rang\":1}",
                                      "{\"period_s\":0}", "{\"range_m\":1", "{\"range_m\":null}"};
  tkr_feed *feed = NULL;
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    error[0] = '\0';
    CHECK(create(wrong[i], &feed) == TKR_ERR_CONFIG);
    CHECK(error[0] && !feed);
  }
}

int main(void) {
  the_water_rises_and_falls_until_told_to_stop();
  a_wrong_configuration_is_told();
  puts("2 tests passed");
  return 0;
}
