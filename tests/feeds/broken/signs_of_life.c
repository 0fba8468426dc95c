/* Promises signs of life, and waits for its source without any. */
#include "broken.h"
struct waiting {
  struct tkr_feed feed;
  pthread_mutex_t lock;
  pthread_cond_t woken;
  int done;
};
static tkr_status create(const tkr_host *h, const char *config, size_t len, tkr_feed **out) {
  struct waiting *w = calloc(1, sizeof *w);
  (void)config, (void)len;
  if (!w) return TKR_ERR_TRANSIENT;
  w->feed.host = h;
  pthread_mutex_init(&w->lock, NULL);
  pthread_cond_init(&w->woken, NULL);
  *out = &w->feed;
  return TKR_OK;
}
static tkr_status run(tkr_feed *f) {
  struct waiting *w = (struct waiting *)f;
  emit_count(f->host, 1, 0);
  pthread_mutex_lock(&w->lock);
  while (!w->done) pthread_cond_wait(&w->woken, &w->lock);
  pthread_mutex_unlock(&w->lock);
  return TKR_OK;
}
static void interrupt(tkr_feed *f) {
  struct waiting *w = (struct waiting *)f;
  pthread_mutex_lock(&w->lock);
  w->done = 1;
  pthread_cond_signal(&w->woken);
  pthread_mutex_unlock(&w->lock);
}
BROKEN_TYPE(.mode = TKR_MODE_PUSH, .create = create, .poll = NULL, .run = run, .interrupt = interrupt,
            .default_poll_ms = 0, .min_poll_ms = 0)
BROKEN_PLUGIN(.sdk = "tickerd-sdk 1.0.0")
