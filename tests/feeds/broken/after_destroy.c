/* Leaves a thread behind that uses what was freed: only after a life of four polls, as some sources want. */
#include "broken.h"
static volatile int destroyed;
static void *use_after(void *memory) {
  while (!destroyed) sleep_for_ms(1);
  sleep_for_ms(20);
  return (void *)(uintptr_t)*(volatile char *)memory;
}
static void destroy(tkr_feed *f) {
  if (f->n == 4) {
    pthread_t thread;
    void *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory != MAP_FAILED && pthread_create(&thread, NULL, use_after, memory) == 0) {
      pthread_detach(thread);
      munmap(memory, 4096);
    }
  }
  destroyed = 1;
  counter_destroy(f);
}
BROKEN(.destroy = destroy)
