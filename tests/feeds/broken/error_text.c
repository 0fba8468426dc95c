/* Refuses without a word. */
#include "broken.h"
static tkr_status create(const tkr_host *h, const char *config, size_t len, tkr_feed **out) {
  if (len == 0 || config[0] != '{') return TKR_ERR_CONFIG;
  return counter_create(h, config, len, out);
}
BROKEN(.create = create)
