/* Makes up for every second that has passed. */
#include "broken.h"
static tkr_status poll(tkr_feed *f) {
  static uint64_t told;
  uint64_t now = f->host->now_unix_ms(f->host) / 1000;
  if (told == 0) told = now;
  for (; told < now; told++) emit_count(f->host, ++f->n, 0);
  return counter_poll(f);
}
BROKEN(.poll = poll)
