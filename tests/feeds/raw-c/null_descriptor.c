/* Has an entry, which answers NULL. */
#include <tickerd.h>

const tkr_plugin *tickerd_plugin_v1(void) { return NULL; }
