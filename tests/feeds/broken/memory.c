/* Keeps 64 KiB of each life. */
#include "broken.h"
static tkr_status create(const tkr_host *h, const char *config, size_t len, tkr_feed **out) {
  volatile char *kept = malloc(64 * 1024);
  if (kept)
    for (int at = 0; at < 64 * 1024; at += 512) kept[at] = 1;
  return counter_create(h, config, len, out);
}
BROKEN(.create = create)
