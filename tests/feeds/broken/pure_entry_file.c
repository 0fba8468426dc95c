/* Opens a file when it is only asked what it is. */
#include "broken.h"
BROKEN_TYPE(.name = "C")
static const tkr_feed_type *const types[] = {&type};
static const tkr_plugin plugin = {COUNTER_PLUGIN, .feed_types = types};
const tkr_plugin *tickerd_plugin_v1(void) {
  static int opened = -1;
  if (opened < 0) opened = open("/dev/zero", O_RDONLY);
  return &plugin;
}
