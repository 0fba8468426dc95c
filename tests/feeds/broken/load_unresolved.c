/* Needs a function that no library has. */
#include "broken.h"
extern int function_of_no_library(void);
static tkr_status poll(tkr_feed *f) { return function_of_no_library() ? TKR_ERR_FATAL : counter_poll(f); }
BROKEN(.poll = poll)
