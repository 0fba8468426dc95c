// The feed against a host in memory, whose clock moves when the test says so.
#include <tickerd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#define CHECK(what)                                                      \
  do {                                                                   \
    if (!(what)) {                                                       \
      std::fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #what); \
      std::exit(1);                                                      \
    }                                                                    \
  } while (0)

namespace {

std::uint64_t now_ms = 1'767'225'600'000;
std::string error;
std::vector<double> levels;

tkr_status emit(const tkr_host *, const tkr_sample *s) {
  CHECK(std::string_view(s->topic, s->topic_len) == "harbour");
  CHECK(std::string_view(s->event, s->event_len) == "tide");
  double level = 0;
  CHECK(std::sscanf(std::string(s->value, s->value_len).c_str(), "{\"level_m\":%lf}", &level) == 1);
  levels.push_back(level);
  return TKR_OK;
}

tkr_host memory() {
  tkr_host host{};
  host.struct_size = sizeof host;
  host.version = "0.0.0";
  host.instance = "test";
  host.emit = emit;
  host.set_error = [](const tkr_host *, const char *msg, std::size_t len) { error.assign(msg, len); };
  host.now_unix_ms = [](const tkr_host *) { return now_ms; };
  return host;
}

const tkr_host host = memory();
const tkr_feed_type &type = *tickerd_plugin_v1()->feed_types[0];

tkr_status create(std::string_view config, tkr_feed **out) {
  return type.create(&host, config.data(), config.size(), out);
}

void the_water_rises_and_falls() {
  tkr_feed *feed = nullptr;
  CHECK(create(R"({ "range_m": 4, "period_s": 60 })", &feed) == TKR_OK);
  for (int i = 0; i < 60; i++, now_ms += 1000) CHECK(type.poll(feed) == TKR_OK);
  CHECK(levels.size() == 60);
  const auto [low, high] = std::minmax_element(levels.begin(), levels.end());
  CHECK(*low < -0.5 && *low >= -2 && *high > 0.5 && *high <= 2);
  type.destroy(feed);
}

void a_wrong_configuration_is_told() {
  for (const char *wrong : {"[]", R"({"range_m":-1})", R"({"range_m":"wide"})", R"({"rang":1})",
                            R"({"range_m":1)", R"({"range_m":null})", R"({"period_s)"}) {
    tkr_feed *feed = nullptr;
    error.clear();
    CHECK(create(wrong, &feed) == TKR_ERR_CONFIG);
    CHECK(!error.empty() && !feed);
  }
}

}  // namespace

int main() {
  the_water_rises_and_falls();
  a_wrong_configuration_is_told();
  std::puts("2 tests passed");
}
