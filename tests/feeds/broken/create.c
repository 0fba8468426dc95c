/* Wants a key that its schema does not ask for. */
#include "broken.h"
static tkr_status create(const tkr_host *h, const char *config, size_t len, tkr_feed **out) {
  (void)config, (void)len, (void)out;
  say_error(h, "symbols: name some");
  return TKR_ERR_CONFIG;
}
BROKEN(.create = create, .config_schema = "{\"type\":\"object\",\"properties\":{\"symbols\":{\"type\":\"array\"}}}")
