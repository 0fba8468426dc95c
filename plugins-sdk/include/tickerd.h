/* tickerd's plugin ABI 1.0. Generated from plugins-sdk/src/abi.rs; do not edit.
 *
 * A plugin is a shared library that exports one function, tickerd_plugin_v1. It is compiled with this header alone and
 * links against nothing of tickerd's. Released members never move, change or vanish within major 1.
 *
 *  - Growth: every struct starts with struct_size and is reached by pointer. Later versions append members; either side
 *    takes smaller and larger structs. Touch a member younger than 1.0 only if TKR_HAS says so.
 *  - Ownership: each side frees only what it allocated. Arguments live until the call returns; descriptors live as long
 *    as the process. No memory changes owner.
 *  - Threads: one feed thread per instance calls create, then poll again and again or run once, then destroy, never two
 *    at once. Those calls may block. What may be called from elsewhere says [any thread].
 *  - Text is UTF-8. With a length beside it, it is not NUL-ended; without, it is.
 *  - No exception or longjmp may cross a call, in either direction. Leave signal handlers, the working directory, the
 *    environment, the locale and stdout alone.
 */

#ifndef TICKERD_H
#define TICKERD_H


#include <stddef.h>
#include <stdint.h>

/* Opaque: the plugin allocates it in create and frees it in destroy. */
typedef struct tkr_feed tkr_feed;

#ifdef _WIN32
#define TKR_EXPORT __declspec(dllexport)
#else
#define TKR_EXPORT __attribute__((visibility("default")))
#endif

/* The name of the one function a plugin exports; the major version is part of it. */
#define TKR_ENTRY_SYMBOL "tickerd_plugin_v1"

/* Whether the struct behind p reaches to member m and m is set: the only legal way to touch a member added after 1.0. */
#define TKR_HAS(p, T, m) ((p)->struct_size >= offsetof(T, m) + sizeof((p)->m) && (p)->m != 0)

#ifdef __cplusplus
extern "C" {
#endif

// Minor version of the ABI this header describes. The major version is in the entry symbol's name.
#define TKR_ABI_MINOR 0

// Done.
#define TKR_OK 0

// `emit`: a rate or queue limit was met; the sample was merged or dropped. Carry on.
#define TKR_DROPPED 1

// The configuration is wrong: nothing goes on until it changes, but for a rare try. With a text that says what to change.
#define TKR_ERR_CONFIG (-1)

// Failed for now. After `poll` the instance is kept and polled again, less often with each failure in a row; after
// `create` and `run` a new one is made, after a back-off.
#define TKR_ERR_TRANSIENT (-2)

// The instance is of no more use: it is destroyed, and a new one is made after a back-off.
#define TKR_ERR_FATAL (-3)

// A bad argument: not UTF-8, not JSON, too large, a bad topic, an undeclared event. From `create`, `poll` or `run` it
// counts as `TKR_ERR_TRANSIENT`.
#define TKR_ERR_INVALID (-4)

// The feed is being stopped: return from `poll` or `run` now. Returned from there it is no failure.
#define TKR_ERR_STOPPING (-5)

// A panic or exception was caught at the boundary; the instance takes only `destroy` from now on. Counts as
// `TKR_ERR_FATAL`.
#define TKR_ERR_PANIC (-6)

// Not offered by this side. From `create`, `poll` or `run` it counts as `TKR_ERR_CONFIG`.
#define TKR_ERR_UNSUPPORTED (-7)

// Log level: something failed.
#define TKR_LOG_ERROR 1

// Log level: something is odd.
#define TKR_LOG_WARN 2

// Log level: worth knowing.
#define TKR_LOG_INFO 3

// Log level: for debugging.
#define TKR_LOG_DEBUG 4

// Log level: every step.
#define TKR_LOG_TRACE 5

// Health: values are fresh.
#define TKR_HEALTH_UP 1

// Health: some values are missing or poor.
#define TKR_HEALTH_DEGRADED 2

// Health: values are old.
#define TKR_HEALTH_STALE 3

// Health: there are no values.
#define TKR_HEALTH_DOWN 4

// Health: no values are due, as when a market is closed.
#define TKR_HEALTH_CLOSED 5

// Mode: tickerd calls `poll` at each interval.
#define TKR_MODE_POLL 1

// Mode: tickerd calls `run` once; it emits until told to stop.
#define TKR_MODE_PUSH 2

// Event class: a value replaces the one before; values may be merged.
#define TKR_CLASS_STATE 1

// Event class: each value matters by itself (trades, alerts).
#define TKR_CLASS_EVENT 2

// What a call answers: zero or one of the `TKR_…` statuses. An unknown negative value counts as
// `TKR_ERR_TRANSIENT`, an unknown positive one as `TKR_OK`.
typedef int32_t tkr_status;

// One thing a feed says. The caller owns all of it; `emit` copies before it returns.
typedef struct tkr_sample {
  // `sizeof(tkr_sample)` as the caller knows it.
  uint32_t struct_size;
  // 0 in ABI 1.0; anything else is `TKR_ERR_INVALID`.
  uint32_t flags;
  // Topic relative to the feed's configured name: `AAPL` under feed `stocks` is `stocks.AAPL`.
  // NULL or empty: the feed's name itself.
  const char *topic;
  // Bytes at `topic`.
  size_t topic_len;
  // Name of one of the feed type's `event_types`.
  const char *event;
  // Bytes at `event`.
  size_t event_len;
  // One JSON value.
  const char *value;
  // Bytes at `value`.
  size_t value_len;
  // The source's own time in Unix milliseconds; 0 = unknown.
  uint64_t source_time_unix_ms;
} tkr_sample;

// An event a feed may emit. Static and immutable.
typedef struct tkr_event_type {
  // `sizeof(tkr_event_type)` as the plugin knows it.
  uint32_t struct_size;
  // `TKR_CLASS_STATE` or `TKR_CLASS_EVENT`.
  uint32_t event_class;
  // `[a-z][a-z0-9_]{0,31}`, and none of the words tickerd keeps for itself.
  const char *name;
  // One sentence for people.
  const char *description;
  // JSON Schema 2020-12 of the value, or NULL.
  const char *value_schema;
} tkr_event_type;

// What tickerd offers to one feed instance.
//
// tickerd owns it. Its memory stays valid for ever; after `destroy` every function answers
// `TKR_ERR_STOPPING`, 1 (stop) or nothing, so a stray thread does no harm.
typedef struct tkr_host {
  // `sizeof(tkr_host)` as tickerd knows it.
  uint32_t struct_size;
  // tickerd's `TKR_ABI_MINOR`.
  uint32_t abi_minor;
  // tickerd's version, as `0.1.0`.
  const char *version;
  // The feed's name in the configuration, which is the first segment of its topics.
  const char *instance;
  // Hands over one sample. [any thread] Never blocks. Copies everything before it returns.
  //
  // Answers `TKR_OK`, `TKR_DROPPED`, `TKR_ERR_INVALID` (the reason is logged) or `TKR_ERR_STOPPING`.
  tkr_status (*emit)(const struct tkr_host *h, const struct tkr_sample *sample);
  // Writes a line to tickerd's log. [any thread] Never blocks, cannot fail; copies the text, limits the rate.
  //
  // An unknown level counts as the nearest known one.
  void (*log)(const struct tkr_host *h, int32_t level, const char *msg, size_t len);
  // Gives the text for the status about to be returned. [thread of the failing call]
  //
  // Never blocks, cannot fail; copies. The last text before the return counts.
  void (*set_error)(const struct tkr_host *h, const char *msg, size_t len);
  // 1 when `poll` or `run` should return, else 0. [any thread] Never blocks, cannot fail.
  //
  // Counts as a heartbeat.
  int32_t (*should_stop)(const struct tkr_host *h);
  // Says that the feed is alive although it has nothing to emit. [any thread] Never blocks, cannot fail.
  //
  // So does every other call but `now_unix_ms`, `set_error` and `get_extension`. See `sdk` of `tkr_plugin`.
  void (*heartbeat)(const struct tkr_host *h);
  // Says how the feed's values are: a `TKR_HEALTH_…` state and a reason for people. [any thread]
  //
  // Never blocks, cannot fail; copies. Subscribers see it; it stands until the next one. An unknown state changes nothing.
  void (*health)(const struct tkr_host *h, int32_t state, const char *msg, size_t len);
  // Ends a topic: it will have no more values unless it is emitted again. [any thread] Never blocks; copies.
  //
  // Answers `TKR_OK`, `TKR_ERR_INVALID` for a bad topic, or `TKR_ERR_STOPPING`. An unknown topic is `TKR_OK`.
  tkr_status (*retire)(const struct tkr_host *h, const char *topic, size_t len);
  // The time in Unix milliseconds. [any thread] Never blocks, cannot fail. Virtual in checks and replays.
  uint64_t (*now_unix_ms)(const struct tkr_host *h);
  // Sleeps, or returns early when the feed should stop; answers as `should_stop`. [feed thread] Blocks.
  //
  // Counts as a heartbeat, again and again until it returns.
  int32_t (*sleep_ms)(const struct tkr_host *h, uint64_t ms);
  // An extension's table by its id, or NULL when tickerd does not have it. [any thread] Never blocks.
  //
  // tickerd owns the table; it lives as long as the process.
  const void *(*get_extension)(const struct tkr_host *h, const char *id);
} tkr_host;

// One kind of feed in a plugin. Static and immutable.
typedef struct tkr_feed_type {
  // `sizeof(tkr_feed_type)` as the plugin knows it.
  uint32_t struct_size;
  // `TKR_MODE_POLL` or `TKR_MODE_PUSH`.
  uint32_t mode;
  // Reverse-DNS name, as `org.example.stocks`; never used again for something else.
  const char *id;
  // Short name for people.
  const char *name;
  // One sentence for people.
  const char *description;
  // Who made it, or NULL.
  const char *vendor;
  // SPDX licence expression, or NULL.
  const char *license;
  // Where to read more, or NULL.
  const char *homepage;
  // JSON Schema 2020-12 of the configuration, or NULL for anything.
  const char *config_schema;
  // NULL-ended array of the events it may emit; at least one.
  const struct tkr_event_type *const *event_types;
  // How often `poll` is called when the configuration does not say, in milliseconds. Push feeds: 0.
  uint32_t default_poll_ms;
  // The shortest poll interval a configuration may ask for, in milliseconds. Push feeds: 0.
  uint32_t min_poll_ms;
  // Makes an instance from its JSON configuration, which is `{}` at the least. [feed thread] May block.
  //
  // On `TKR_OK` `*out` is the plugin's until `destroy`; on anything else there is no instance and no
  // `destroy`. `h` may be used at once and kept. `TKR_ERR_CONFIG` comes with a text that says what to change.
  tkr_status (*create)(const struct tkr_host *h, const char *config_json, size_t len, struct tkr_feed **out);
  // Emits none or more samples and returns before its deadline. [feed thread] May block. Poll feeds only.
  tkr_status (*poll)(struct tkr_feed *f);
  // Emits until `should_stop`, then returns soon. [feed thread] Blocks. Push feeds only.
  //
  // Returning `TKR_OK` before that means the source has ended.
  tkr_status (*run)(struct tkr_feed *f);
  // Makes a blocked `poll` or `run` return. [any thread; may overlap `poll` and `run`, never `destroy`]
  //
  // Optional. Must not block, cannot fail.
  void (*interrupt)(struct tkr_feed *f);
  // Frees the instance. [feed thread] The last call; joins every thread the plugin started. Cannot fail.
  void (*destroy)(struct tkr_feed *f);
  // An extension's table by its id, or NULL. Optional. [feed thread] Must not block.
  //
  // The plugin owns the table; it lives as long as the instance.
  const void *(*get_extension)(struct tkr_feed *f, const char *id);
} tkr_feed_type;

// A plugin: what its entry function answers. Static and immutable.
typedef struct tkr_plugin {
  // `sizeof(tkr_plugin)` as the plugin knows it.
  uint32_t struct_size;
  // The `TKR_ABI_MINOR` the plugin was built with; for people, never a reason to refuse it.
  uint32_t abi_minor;
  // The oldest `TKR_ABI_MINOR` it can run on; usually 0.
  uint32_t min_host_minor;
  // Entries in `feed_types`.
  uint32_t feed_type_count;
  // The feeds it offers; at least one.
  const struct tkr_feed_type *const *feed_types;
  // The plugin's version, as `0.1.0`.
  const char *version;
  // What it was built with, as `tickerd-sdk 0.1.0`.
  //
  // Text that begins with `tickerd-sdk` promises that its push feeds give a heartbeat every 30 s (or as configured).
  // One that does not is interrupted, and after as long again it is taken for hung. Other plugins are never.
  const char *sdk;
} tkr_plugin;

/* What a plugin exports: its descriptor. [any thread] Pure: no threads, no I/O; never NULL. */
TKR_EXPORT const tkr_plugin *tickerd_plugin_v1(void);

#ifdef __cplusplus
}
#endif

/* Says the plugin's version and the ids of its feeds, 1 to 8 string literals, where tickerd finds them without running
 * the plugin. Once per plugin, in one C or C++ file, beside the entry:
 *
 *   TKR_META("1.0.0", "org.example.stocks", "org.example.trades");
 *
 * Optional, and worth its line: tickerd plugin inspect reads it from the file. The same version and ids stand in
 * tkr_plugin and tkr_feed_type. What is written is the section .tickerd.meta with one line of JSON:
 * {"abi":"1.0","version":"1.0.0","feeds":["org.example.stocks","org.example.trades"]}. A NUL may follow it.
 * It outlives strip; and --gc-sections too, where the compiler has the attribute retain (GCC 11, Clang 13). Without
 * ELF there is no such section, and nothing is written. */
#define TKR_META(version, ...) \
  TKR_META_JSON("{\"abi\":\"1." TKR_META_TEXT(TKR_ABI_MINOR) "\",\"version\":\"" version "\",\"feeds\":[" \
                TKR_META_IDS(__VA_ARGS__) "]}")

/* The same with the JSON as one string literal, for a plugin with more than 8 feeds. */
#if defined(__ELF__)
#define TKR_META_JSON(json) TKR_META_KEPT static const char tkr_meta[] = json
#else
#define TKR_META_JSON(json) extern const char tkr_meta[sizeof(json)]
#endif

/* Parts of TKR_META. */
#define TKR_META_KEPT __attribute__((section(".tickerd.meta"), used))
#ifdef __has_attribute
#if __has_attribute(retain)
#undef TKR_META_KEPT
#define TKR_META_KEPT __attribute__((section(".tickerd.meta"), used, retain))
#endif
#endif
#define TKR_META_TEXT(number) TKR_META_TEXT_(number)
#define TKR_META_TEXT_(number) #number
#define TKR_META_IDS(...) \
  TKR_META_PICK(__VA_ARGS__, TKR_META_8, TKR_META_7, TKR_META_6, TKR_META_5, TKR_META_4, TKR_META_3, TKR_META_2, \
                TKR_META_1, none)(__VA_ARGS__)
#define TKR_META_PICK(a, b, c, d, e, f, g, h, pick, ...) pick
#define TKR_META_1(id) "\"" id "\""
#define TKR_META_2(id, ...) TKR_META_1(id) "," TKR_META_1(__VA_ARGS__)
#define TKR_META_3(id, ...) TKR_META_1(id) "," TKR_META_2(__VA_ARGS__)
#define TKR_META_4(id, ...) TKR_META_1(id) "," TKR_META_3(__VA_ARGS__)
#define TKR_META_5(id, ...) TKR_META_1(id) "," TKR_META_4(__VA_ARGS__)
#define TKR_META_6(id, ...) TKR_META_1(id) "," TKR_META_5(__VA_ARGS__)
#define TKR_META_7(id, ...) TKR_META_1(id) "," TKR_META_6(__VA_ARGS__)
#define TKR_META_8(id, ...) TKR_META_1(id) "," TKR_META_7(__VA_ARGS__)

#if UINTPTR_MAX == UINT64_MAX
#if defined(__cplusplus) && __cplusplus >= 201103L
#define TKR_ASSERT(x) static_assert(x, "tickerd ABI 1.0")
#elif defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L
#define TKR_ASSERT(x) _Static_assert(x, "tickerd ABI 1.0")
#endif
#endif
#ifdef TKR_ASSERT
TKR_ASSERT(sizeof(tkr_sample) == 64);
TKR_ASSERT(offsetof(tkr_sample, topic) == 8);
TKR_ASSERT(offsetof(tkr_sample, event) == 24);
TKR_ASSERT(offsetof(tkr_sample, value) == 40);
TKR_ASSERT(offsetof(tkr_sample, source_time_unix_ms) == 56);
TKR_ASSERT(sizeof(tkr_event_type) == 32);
TKR_ASSERT(offsetof(tkr_event_type, event_class) == 4);
TKR_ASSERT(offsetof(tkr_event_type, name) == 8);
TKR_ASSERT(offsetof(tkr_event_type, description) == 16);
TKR_ASSERT(offsetof(tkr_event_type, value_schema) == 24);
TKR_ASSERT(sizeof(tkr_host) == 104);
TKR_ASSERT(offsetof(tkr_host, version) == 8);
TKR_ASSERT(offsetof(tkr_host, instance) == 16);
TKR_ASSERT(offsetof(tkr_host, emit) == 24);
TKR_ASSERT(offsetof(tkr_host, log) == 32);
TKR_ASSERT(offsetof(tkr_host, set_error) == 40);
TKR_ASSERT(offsetof(tkr_host, should_stop) == 48);
TKR_ASSERT(offsetof(tkr_host, heartbeat) == 56);
TKR_ASSERT(offsetof(tkr_host, health) == 64);
TKR_ASSERT(offsetof(tkr_host, retire) == 72);
TKR_ASSERT(offsetof(tkr_host, now_unix_ms) == 80);
TKR_ASSERT(offsetof(tkr_host, sleep_ms) == 88);
TKR_ASSERT(offsetof(tkr_host, get_extension) == 96);
TKR_ASSERT(sizeof(tkr_feed_type) == 128);
TKR_ASSERT(offsetof(tkr_feed_type, id) == 8);
TKR_ASSERT(offsetof(tkr_feed_type, config_schema) == 56);
TKR_ASSERT(offsetof(tkr_feed_type, event_types) == 64);
TKR_ASSERT(offsetof(tkr_feed_type, default_poll_ms) == 72);
TKR_ASSERT(offsetof(tkr_feed_type, min_poll_ms) == 76);
TKR_ASSERT(offsetof(tkr_feed_type, create) == 80);
TKR_ASSERT(offsetof(tkr_feed_type, poll) == 88);
TKR_ASSERT(offsetof(tkr_feed_type, run) == 96);
TKR_ASSERT(offsetof(tkr_feed_type, interrupt) == 104);
TKR_ASSERT(offsetof(tkr_feed_type, destroy) == 112);
TKR_ASSERT(offsetof(tkr_feed_type, get_extension) == 120);
TKR_ASSERT(sizeof(tkr_plugin) == 40);
TKR_ASSERT(offsetof(tkr_plugin, min_host_minor) == 8);
TKR_ASSERT(offsetof(tkr_plugin, feed_types) == 16);
TKR_ASSERT(offsetof(tkr_plugin, version) == 24);
TKR_ASSERT(offsetof(tkr_plugin, sdk) == 32);
#undef TKR_ASSERT
#endif

#endif /* TICKERD_H */
