/* Declares its event twice. */
#include "broken.h"
static const tkr_event_type *const events[] = {&counter_event, &counter_event, NULL};
BROKEN(.event_types = events)
