/* Promises text and emits numbers. */
#include "broken.h"
static const tkr_event_type event = {
    .struct_size = sizeof(tkr_event_type),
    .event_class = TKR_CLASS_STATE,
    .name = "count",
    .description = "Counts.",
    .value_schema = "{\"type\":\"object\",\"properties\":{\"n\":{\"type\":\"string\"}}}",
};
static const tkr_event_type *const events[] = {&event, NULL};
BROKEN(.event_types = events)
