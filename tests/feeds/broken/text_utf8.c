/* Logs in Latin-1. */
#include "broken.h"
static tkr_status poll(tkr_feed *f) {
  f->host->log(f->host, TKR_LOG_INFO, "21 \xb0"
                                      "C",
               5);
  return counter_poll(f);
}
BROKEN(.poll = poll)
