/* Ends its process when a call takes longer than it likes. */
#include "broken.h"
static tkr_status poll(tkr_feed *f) {
  struct timespec before, after;
  clock_gettime(CLOCK_MONOTONIC, &before);
  emit_count(f->host, ++f->n, 0);
  clock_gettime(CLOCK_MONOTONIC, &after);
  /* Far more than a busy machine takes, and less than the slow host does. */
  if ((after.tv_sec - before.tv_sec) * 1000 + (after.tv_nsec - before.tv_nsec) / 1000000 >= 500) abort();
  return TKR_OK;
}
BROKEN(.poll = poll)
