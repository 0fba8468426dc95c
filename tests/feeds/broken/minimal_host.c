/* Calls what it hopes is behind the host's table, without asking how long that is. */
#include "broken.h"
struct host_of_tomorrow {
  tkr_host today;
  int32_t (*more)(const tkr_host *h);
};
static tkr_status poll(tkr_feed *f) {
  const struct host_of_tomorrow *h = (const struct host_of_tomorrow *)f->host;
  if (h->more) h->more(f->host);
  return counter_poll(f);
}
BROKEN(.poll = poll)
