/* Marks a main field that its values do not have. */
#include "broken.h"
static const tkr_event_type event = {
    .struct_size = sizeof(tkr_event_type),
    .event_class = TKR_CLASS_STATE,
    .name = "count",
    .description = "Counts.",
    .value_schema = "{\"type\":\"object\",\"properties\":{\"m\":{\"type\":\"number\",\"x-tickerd-main\":true}}}",
};
static const tkr_event_type *const events[] = {&event, NULL};
BROKEN(.event_types = events)
