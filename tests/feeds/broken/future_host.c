/* Runs on the very host that it was built for. */
#include "broken.h"
static tkr_status create(const tkr_host *h, const char *config, size_t len, tkr_feed **out) {
  if (h->struct_size != sizeof(tkr_host)) {
    say_error(h, "another host");
    return TKR_ERR_FATAL;
  }
  return counter_create(h, config, len, out);
}
BROKEN(.create = create)
