// A simulated tide: the moon's pull, and the sun's, a little quicker, so that springs and neaps come and go.
#include <tickerd.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <exception>
#include <memory>
#include <numbers>
#include <stdexcept>
#include <string>
#include <string_view>

namespace {

// The configuration is wrong; the text says what to change.
struct ConfigError : std::runtime_error {
  using runtime_error::runtime_error;
};

// Takes a flat table of numbers apart: {"range_m":2.0,"period_s":60}. One of more than that asks for a JSON library.
class Numbers {
 public:
  explicit Numbers(std::string_view json) : rest(json) {}

  // Calls set(key, value) for each entry.
  template <class Set>
  void each(Set set) {
    take('{');
    if (peek() == '}') return;
    do {
      take('"');
      const auto end = rest.find('"');
      if (end == rest.npos) fail();
      const auto key = rest.substr(0, end);
      rest.remove_prefix(end + 1);
      take(':');
      set(key, number());
    } while (peek() == ',' && (take(','), true));
    take('}');
  }

 private:
  std::string_view rest;

  char peek() {
    rest.remove_prefix(std::min(rest.find_first_not_of(" \t\r\n"), rest.size()));
    return rest.empty() ? '\0' : rest.front();
  }
  void take(char wanted) {
    if (peek() != wanted) fail();
    rest.remove_prefix(1);
  }
  double number() {
    peek();
    double value = 0;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), value);
    if (error != std::errc{}) fail();
    rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
    return value;
  }
  [[noreturn]] static void fail() { throw ConfigError("range_m and period_s, and no other key, are numbers"); }
};

class Tide {
 public:
  Tide(const tkr_host *h, std::string_view config) : host(h) {
    Numbers(config).each([this](std::string_view key, double value) {
      if (key == "range_m") {
        if (!(value > 0 && value <= 100)) throw ConfigError("range_m: write a number above 0, at most 100");
        range_m = value;
      } else if (key == "period_s") {
        if (!(value >= 1 && value <= 1e6)) throw ConfigError("period_s: write a number from 1 to 1000000");
        period_s = value;
      } else {
        throw ConfigError("there is no key " + std::string(key) + "; write range_m or period_s");
      }
    });
  }

  // Tells the level until tickerd says to stop. sleep_ms returns early for that, so that no interrupt is needed.
  tkr_status run() {
    do {
      const tkr_status status = emit(level());
      if (status < 0) return status;
    } while (!host->sleep_ms(host, 250));
    return TKR_OK;
  }

 private:
  const tkr_host *host;
  double range_m = 2;
  double period_s = 60;

  double level() const {
    constexpr double tau = 2 * std::numbers::pi;
    const double turns = static_cast<double>(host->now_unix_ms(host)) / 1000 / period_s;
    return range_m / 2 * (0.7 * std::sin(tau * turns) + 0.3 * std::sin(tau * turns * 1.035));
  }

  tkr_status emit(double level_m) const {
    constexpr std::string_view topic = "harbour", event = "tide";
    char value[64];
    const int len = std::snprintf(value, sizeof value, "{\"level_m\":%.3f}", level_m);
    const tkr_sample sample = {
        .struct_size = sizeof sample,
        .flags = 0,
        .topic = topic.data(),
        .topic_len = topic.size(),
        .event = event.data(),
        .event_len = event.size(),
        .value = value,
        .value_len = static_cast<std::size_t>(len),
        .source_time_unix_ms = 0,
    };
    return host->emit(host, &sample);  // copies, so that value may go
  }
};

// Runs feed code. No exception gets past this: it becomes a status, and its text is told to tickerd.
template <class Call>
tkr_status guarded(const tkr_host *h, tkr_status otherwise, Call call) noexcept {
  const auto tell = [h](std::string_view text) { h->set_error(h, text.data(), text.size()); };
  try {
    return call();
  } catch (const ConfigError &error) {
    tell(error.what());
    return TKR_ERR_CONFIG;
  } catch (const std::exception &error) {
    tell(error.what());
    return otherwise;
  } catch (...) {
    tell("an exception without a text");
    return TKR_ERR_PANIC;
  }
}

}  // namespace

// What tickerd holds on to: freed in destroy, and with it all that the feed has.
struct tkr_feed {
  const tkr_host *host;
  Tide tide;
};

extern "C" {

static tkr_status create(const tkr_host *h, const char *config_json, size_t len, tkr_feed **out) {
  return guarded(h, TKR_ERR_TRANSIENT, [&]() -> tkr_status {
    *out = std::make_unique<tkr_feed>(tkr_feed{h, Tide(h, {config_json, len})}).release();
    return TKR_OK;
  });
}

static tkr_status run(tkr_feed *f) {
  return guarded(f->host, TKR_ERR_FATAL, [f] { return f->tide.run(); });
}

static void destroy(tkr_feed *f) { const std::unique_ptr<tkr_feed> last(f); }

}  // extern "C"

static const tkr_event_type tide = {
    .struct_size = sizeof(tkr_event_type),
    .event_class = TKR_CLASS_STATE,
    .name = "tide",
    .description = "How high the water is.",
    .value_schema = R"({"type":"object","required":["level_m"],"properties":{
      "level_m":{"type":"number","description":"Metres above the mean.",
        "x-tickerd-main":true,"x-tickerd-role":"gauge","x-tickerd-unit":"m"}}})",
};
static const tkr_event_type *const events[] = {&tide, nullptr};

static const tkr_feed_type feed = {
    .struct_size = sizeof(tkr_feed_type),
    .mode = TKR_MODE_PUSH,
    .id = "org.example.example-cpp",
    .name = "Tide",
    .description = "A simulated tide.",
    .vendor = nullptr,
    .license = "MIT OR Apache-2.0",
    .homepage = nullptr,
    .config_schema = R"({"type":"object","additionalProperties":false,"properties":{
      "range_m":{"type":"number","exclusiveMinimum":0,"maximum":100,"default":2,
        "description":"Metres between low and high water."},
      "period_s":{"type":"number","minimum":1,"maximum":1000000,"default":60,
        "description":"Seconds from one high water to the next."}}})",
    .event_types = events,
    .default_poll_ms = 0,
    .min_poll_ms = 0,
    .create = create,
    .poll = nullptr,
    .run = run,
    .interrupt = nullptr,
    .destroy = destroy,
    .get_extension = nullptr,
};
static const tkr_feed_type *const feeds[] = {&feed};

static const tkr_plugin plugin = {
    .struct_size = sizeof(tkr_plugin),
    .abi_minor = TKR_ABI_MINOR,
    .min_host_minor = 0,
    .feed_type_count = 1,
    .feed_types = feeds,
    .version = "0.1.0",
    .sdk = "tickerd.h 1.0",
};

const tkr_plugin *tickerd_plugin_v1(void) { return &plugin; }

TKR_META("0.1.0", "org.example.example-cpp");
