/* A simulated tide: the moon's pull, and the sun's, a little quicker, so that springs and neaps come and go. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tickerd.h>

#define TAU 6.283185307179586

/* One instance. tickerd calls it from one thread, never two calls at once. */
struct tkr_feed {
  const tkr_host *host;
  double range_m;
  double period_s;
};

/* Reads {"range_m":2.0,"period_s":60}, the keys in any order. NULL, or what is wrong with it.
 * A configuration of more than numbers asks for a JSON library. */
static const char *configure(tkr_feed *f, const char *at) {
  char key[16], next = ',';
  double value;
  int n = 0;
  sscanf(at, " { }%n", &n);
  if (n) return NULL;
  sscanf(at, " {%n", &n);
  if (!n) return "the configuration must be a table";
  for (at += n; next == ','; at += n) {
    n = 0;
    if (sscanf(at, " \"%15[^\"]\" : %lf %c%n", key, &value, &next, &n) != 3 || !n)
      return "range_m and period_s, and no other key, are numbers";
    if (!strcmp(key, "range_m")) {
      if (!(value > 0 && value <= 100)) return "range_m: write a number above 0, at most 100";
      f->range_m = value;
    } else if (!strcmp(key, "period_s")) {
      if (!(value >= 1 && value <= 1e6)) return "period_s: write a number from 1 to 1000000";
      f->period_s = value;
    } else {
      return "there are two keys: range_m and period_s";
    }
  }
  return next == '}' ? NULL : "the configuration must be a table";
}

static tkr_status create(const tkr_host *h, const char *config_json, size_t len, tkr_feed **out) {
  const char *wrong;
  char *config = malloc(len + 1); /* no NUL ends config_json */
  tkr_feed *f = calloc(1, sizeof *f);
  if (!config || !f) {
    free(config);
    free(f);
    return TKR_ERR_TRANSIENT;
  }
  memcpy(config, config_json, len);
  config[len] = '\0';
  *f = (tkr_feed){.host = h, .range_m = 2, .period_s = 60};
  wrong = configure(f, config);
  free(config);
  if (wrong) {
    h->set_error(h, wrong, strlen(wrong));
    free(f);
    return TKR_ERR_CONFIG;
  }
  *out = f;
  return TKR_OK;
}

static tkr_status tell(tkr_feed *f) {
  static const char topic[] = "harbour", event[] = "tide";
  const tkr_host *h = f->host;
  double turns = (double)h->now_unix_ms(h) / 1000 / f->period_s;
  double level = f->range_m / 2 * (0.7 * sin(TAU * turns) + 0.3 * sin(TAU * turns * 1.035));
  char value[64];
  tkr_sample sample = {.struct_size = sizeof sample, .topic = topic, .topic_len = sizeof topic - 1};
  tkr_status status;
  sample.event = event;
  sample.event_len = sizeof event - 1;
  sample.value = value;
  sample.value_len = (size_t)snprintf(value, sizeof value, "{\"level_m\":%.3f}", level);
  status = h->emit(h, &sample); /* copies, so that value may go */
  return status < 0 ? status : TKR_OK;
}

/* Tells the level until tickerd says to stop. sleep_ms returns early for that, so that no interrupt is needed. */
static tkr_status run(tkr_feed *f) {
  tkr_status status;
  do {
    status = tell(f);
  } while (status == TKR_OK && !f->host->sleep_ms(f->host, 250));
  return status;
}

static void destroy(tkr_feed *f) { free(f); }

static const tkr_event_type tide = {
    .struct_size = sizeof tide,
    .event_class = TKR_CLASS_STATE,
    .name = "tide",
    .description = "How high the water is.",
    .value_schema = "{\"type\":\"object\",\"required\":[\"level_m\"],\"properties\":{\"level_m\":"
                    "{\"type\":\"number\",\"description\":\"Metres above the mean.\",\"x-tickerd-main\":true,"
                    "\"x-tickerd-role\":\"gauge\",\"x-tickerd-unit\":\"m\"}}}",
};
static const tkr_event_type *const events[] = {&tide, NULL};

static const tkr_feed_type feed = {
    .struct_size = sizeof feed,
    .mode = TKR_MODE_PUSH,
    .id = "org.example.example-c",
    .name = "Tide",
    .description = "A simulated tide.",
    .license = "MIT OR Apache-2.0",
    .config_schema = "{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{"
                     "\"range_m\":{\"type\":\"number\",\"exclusiveMinimum\":0,\"maximum\":100,\"default\":2,"
                     "\"description\":\"Metres between low and high water.\"},"
                     "\"period_s\":{\"type\":\"number\",\"minimum\":1,\"maximum\":1000000,\"default\":60,"
                     "\"description\":\"Seconds from one high water to the next.\"}}}",
    .event_types = events,
    .create = create,
    .run = run,
    .destroy = destroy,
};
static const tkr_feed_type *const feeds[] = {&feed};

static const tkr_plugin plugin = {
    .struct_size = sizeof plugin,
    .abi_minor = TKR_ABI_MINOR,
    .feed_type_count = 1,
    .feed_types = feeds,
    .version = "0.1.0",
    .sdk = "tickerd.h 1.0",
};

const tkr_plugin *tickerd_plugin_v1(void) { return &plugin; }

TKR_META("0.1.0", "org.example.example-c");
