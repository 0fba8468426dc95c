/* Emits an event that it has not declared. */
#include "broken.h"
static tkr_status poll(tkr_feed *f) {
  static const tkr_sample sample = {
      .struct_size = sizeof(tkr_sample), .event = "trade", .event_len = 5, .value = "1", .value_len = 1};
  f->host->emit(f->host, &sample);
  return counter_poll(f);
}
BROKEN(.poll = poll)
