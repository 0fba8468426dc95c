/* Starts a thread and never ends it. */
#include "broken.h"
static void *wait_for_ever(void *nothing) {
  for (;;) pause();
  return nothing;
}
static tkr_status create(const tkr_host *h, const char *config, size_t len, tkr_feed **out) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, wait_for_ever, NULL) != 0) return TKR_ERR_TRANSIENT;
  pthread_detach(thread);
  return counter_create(h, config, len, out);
}
BROKEN(.create = create)
