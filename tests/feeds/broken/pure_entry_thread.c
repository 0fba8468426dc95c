/* Starts a thread while it is loaded. */
#include "broken.h"
static void *wait_for_ever(void *nothing) {
  for (;;) pause();
  return nothing;
}
__attribute__((constructor)) static void begin(void) {
  pthread_t thread;
  pthread_create(&thread, NULL, wait_for_ever, NULL);
}
BROKEN(.name = "C")
