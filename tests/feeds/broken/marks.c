/* Marks a field with a word that is no mark, and with a unit that is none. */
#include "broken.h"
static const tkr_event_type event = {
    .struct_size = sizeof(tkr_event_type),
    .event_class = TKR_CLASS_STATE,
    .name = "count",
    .description = "Counts.",
    .value_schema = "{\"type\":\"object\",\"properties\":{\"n\":{\"type\":\"number\",\"x-tickerd-man\":true,\"x-tickerd-unit\":\"metres\"}}}",
};
static const tkr_event_type *const events[] = {&event, NULL};
BROKEN(.event_types = events)
