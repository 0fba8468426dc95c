/* A host of ABI 1.0, made of the frozen header alone: drives a plugin of any later version as tickerd 1.0 would.
 *
 *   driver PLUGIN.so CONFIG_JSON CALLS
 *
 * It makes an instance of the first feed type, calls poll CALLS times, or run until CALLS samples have come and
 * interrupt after that, and destroys it. It prints what it is told, a line each, and ends with `done`; whatever breaks
 * the contract ends it with 1 and a reason on stderr. Its table lies at the end of a page behind which nothing may be
 * read: a plugin that touches a member younger than 1.0 without asking struct_size dies of it. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "tickerd.h"

#define EVENTS_MAX 256

static const tkr_feed_type *type;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static unsigned long samples, wanted;
static int stopping, ended;
static const tkr_host *table_of_1_0;

static void broken(const char *format, ...) {
  va_list args;
  va_start(args, format);
  fputs("driver: ", stderr);
  vfprintf(stderr, format, args);
  fputc('\n', stderr);
  va_end(args);
  exit(1);
}

/* A line; newlines of the plugin's own text become spaces. */
static void say(const char *what, const char *text, size_t len) {
  size_t i;
  printf("%s ", what);
  for (i = 0; i < len; i++) putchar(text[i] == '\n' ? ' ' : text[i]);
  putchar('\n');
}

static int is_declared(const char *event, size_t len) {
  size_t i;
  for (i = 0; i < EVENTS_MAX && type->event_types[i]; i++) {
    const char *name = type->event_types[i]->name;
    if (strlen(name) == len && memcmp(name, event, len) == 0) return 1;
  }
  return 0;
}

static tkr_status emit(const tkr_host *h, const tkr_sample *sample) {
  tkr_status status = TKR_OK;
  (void)h;
  pthread_mutex_lock(&lock);
  if (stopping) {
    status = TKR_ERR_STOPPING;
  } else if (!sample || sample->struct_size < sizeof(tkr_sample)) {
    broken("a sample smaller than that of ABI 1.0");
  } else if (sample->flags != 0 || !is_declared(sample->event, sample->event_len) || sample->value_len == 0) {
    status = TKR_ERR_INVALID;
  } else {
    printf("emit %.*s %.*s ", (int)sample->topic_len, sample->topic_len ? sample->topic : "",
           (int)sample->event_len, sample->event);
    say("value", sample->value, sample->value_len);
    samples++;
    pthread_cond_broadcast(&changed);
  }
  pthread_mutex_unlock(&lock);
  return status;
}

static void log_line(const tkr_host *h, int32_t level, const char *msg, size_t len) {
  (void)h;
  pthread_mutex_lock(&lock);
  printf("log %d ", (int)level);
  say("text", msg, len);
  pthread_mutex_unlock(&lock);
}

static void set_error(const tkr_host *h, const char *msg, size_t len) {
  (void)h;
  pthread_mutex_lock(&lock);
  say("error", msg, len);
  pthread_mutex_unlock(&lock);
}

static int32_t should_stop(const tkr_host *h) {
  int32_t stop;
  (void)h;
  pthread_mutex_lock(&lock);
  stop = stopping;
  pthread_mutex_unlock(&lock);
  return stop;
}

static void heartbeat(const tkr_host *h) { (void)h; }

static void health(const tkr_host *h, int32_t state, const char *msg, size_t len) {
  (void)h;
  pthread_mutex_lock(&lock);
  printf("health %d ", (int)state);
  say("text", msg, len);
  pthread_mutex_unlock(&lock);
}

static tkr_status retire(const tkr_host *h, const char *topic, size_t len) {
  (void)h;
  pthread_mutex_lock(&lock);
  say("retire", topic, len);
  pthread_mutex_unlock(&lock);
  return TKR_OK;
}

static uint64_t now_unix_ms(const tkr_host *h) {
  struct timespec now;
  (void)h;
  clock_gettime(CLOCK_REALTIME, &now);
  return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static int32_t sleep_ms(const tkr_host *h, uint64_t ms) {
  struct timespec until;
  int32_t stop;
  (void)h;
  if (ms > 86400000) ms = 86400000;
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec += (time_t)(ms / 1000);
  until.tv_nsec += (long)(ms % 1000) * 1000000;
  if (until.tv_nsec >= 1000000000) {
    until.tv_sec++;
    until.tv_nsec -= 1000000000;
  }
  pthread_mutex_lock(&lock);
  while (!stopping && pthread_cond_timedwait(&changed, &lock, &until) == 0) {
  }
  stop = stopping;
  pthread_mutex_unlock(&lock);
  return stop;
}

static const void *get_extension(const tkr_host *h, const char *id) {
  (void)h;
  (void)id;
  return NULL;
}

/* The table of 1.0, with its last byte at the end of what may be read. */
static const tkr_host *table(void) {
  static const tkr_host host = {
      .struct_size = sizeof(tkr_host),
      .abi_minor = TKR_ABI_MINOR,
      .version = "1.0.0",
      .instance = "driven",
      .emit = emit,
      .log = log_line,
      .set_error = set_error,
      .should_stop = should_stop,
      .heartbeat = heartbeat,
      .health = health,
      .retire = retire,
      .now_unix_ms = now_unix_ms,
      .sleep_ms = sleep_ms,
      .get_extension = get_extension,
  };
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  char *pages = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED || mprotect(pages + page, page, PROT_NONE) != 0) broken("no memory");
  return memcpy(pages + page - sizeof host, &host, sizeof host);
}

/* The instance, while there is one: interrupt may overlap run, never destroy. */
static pthread_mutex_t life = PTHREAD_MUTEX_INITIALIZER;
static tkr_feed *feed;

static tkr_status create(const char *config) {
  tkr_feed *made = NULL;
  tkr_status status = type->create(table_of_1_0, config, strlen(config), &made);
  printf("create %d\n", (int)status);
  if (status < TKR_OK) return status;
  if (!made) broken("create answers OK and leaves no instance");
  if (type->get_extension && type->get_extension(made, "org.tickerd.golden.none/1"))
    broken("it has an extension that nobody ever had");
  pthread_mutex_lock(&life);
  feed = made;
  pthread_mutex_unlock(&life);
  return status;
}

static void destroy(void) {
  tkr_feed *last;
  pthread_mutex_lock(&life);
  last = feed;
  feed = NULL;
  pthread_mutex_unlock(&life);
  type->destroy(last);
}

/* Waits for the samples, then stops the feed as tickerd does. */
static void *stopper(void *unused) {
  (void)unused;
  pthread_mutex_lock(&lock);
  while (samples < wanted && !ended) pthread_cond_wait(&changed, &lock);
  stopping = 1;
  pthread_cond_broadcast(&changed);
  pthread_mutex_unlock(&lock);
  pthread_mutex_lock(&life);
  if (feed && type->interrupt) type->interrupt(feed);
  pthread_mutex_unlock(&life);
  return NULL;
}

/* Polls that often. */
static void poll(unsigned long times) {
  while (times-- > 0) printf("poll %d\n", (int)type->poll(feed));
  pthread_mutex_lock(&lock);
  stopping = 1;
  pthread_mutex_unlock(&lock);
  destroy();
}

/* Runs until the samples have come. After a failure there is a new instance, though not for ever. */
static void run(const char *config) {
  pthread_t thread;
  tkr_status status;
  int lives;
  if (pthread_create(&thread, NULL, stopper, NULL) != 0) broken("no thread");
  for (lives = 1;; lives++) {
    status = type->run(feed);
    printf("run %d\n", (int)status);
    destroy();
    if (status >= TKR_OK || status == TKR_ERR_STOPPING || lives == 10 || should_stop(table_of_1_0)) break;
    if (create(config) < TKR_OK) break;
  }
  pthread_mutex_lock(&lock);
  ended = 1;
  pthread_cond_broadcast(&changed);
  pthread_mutex_unlock(&lock);
  pthread_join(thread, NULL);
}

int main(int argc, char **argv) {
  const tkr_plugin *(*entry)(void);
  const tkr_plugin *plugin;
  void *library, *symbol;

  if (argc != 4) broken("usage: driver PLUGIN.so CONFIG_JSON CALLS");
  setvbuf(stdout, NULL, _IOLBF, 0);
  wanted = strtoul(argv[3], NULL, 10);
  table_of_1_0 = table();
  library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
  if (!library) broken("%s", dlerror());
  symbol = dlsym(library, TKR_ENTRY_SYMBOL);
  if (!symbol) broken("%s", dlerror());
  memcpy(&entry, &symbol, sizeof entry);
  plugin = entry();
  if (!plugin || plugin != entry()) broken("the entry answers NULL, or another descriptor each time");
  if (plugin->struct_size < sizeof(tkr_plugin)) broken("a tkr_plugin smaller than that of ABI 1.0");
  if (plugin->min_host_minor > TKR_ABI_MINOR) broken("it does not run on ABI 1.0");
  if (plugin->feed_type_count < 1) broken("no feed types");
  type = plugin->feed_types[0];
  if (type->struct_size < sizeof(tkr_feed_type)) broken("a tkr_feed_type smaller than that of ABI 1.0");
  if (!type->event_types[0] || type->event_types[0]->struct_size < sizeof(tkr_event_type))
    broken("no event types, or smaller than those of ABI 1.0");
  printf("type %s %u %s %s\n", type->id, (unsigned)type->mode, plugin->version, plugin->sdk);

  if (create(argv[2]) >= TKR_OK) {
    if (type->mode == TKR_MODE_POLL)
      poll(wanted);
    else if (type->mode == TKR_MODE_PUSH)
      run(argv[2]);
    else
      broken("mode %u", (unsigned)type->mode);
  }
  puts("done");
  return 0;
}
