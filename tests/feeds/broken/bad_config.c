/* Takes a wrong configuration for a bad day, which is tried again for ever. */
#include "broken.h"
static tkr_status create(const tkr_host *h, const char *config, size_t len, tkr_feed **out) {
  if (len == 0 || config[0] != '{') {
    say_error(h, "it is no object");
    return TKR_ERR_TRANSIENT;
  }
  return counter_create(h, config, len, out);
}
BROKEN(.create = create)
